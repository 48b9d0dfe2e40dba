//! The tree of a copy as an import leaves it: what is there, and below it what the file brings.

use std::collections::HashMap;

use crate::models::ids::MessageId;
use crate::services::conversations::StoreError;
use crate::services::conversations::transfer::import::ImportedMessage;
use crate::services::sql::rows::{Edge, ImportedCopy};
use crate::utils::clock::Clock;

/// Messages by numbers: those that are there, then those that come. Parents before children.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) ids: Vec<MessageId>,
    pub(super) parents: Vec<Option<usize>>,
    /// What each message of the file is here.
    pub(super) nodes: Vec<usize>,
    /// How many there are already.
    known: usize,
}

impl Tree {
    /// Gives each message of the file that is not there an id and a place.
    pub(super) fn new(
        clock: &Clock,
        edges: &[Edge],
        copies: &HashMap<String, ImportedCopy>,
        messages: &[ImportedMessage],
    ) -> Result<Self, StoreError> {
        let by_id: HashMap<MessageId, usize> =
            edges.iter().enumerate().map(|(at, edge)| (edge.id, at)).collect();
        let find = |id: MessageId| by_id.get(&id).copied().ok_or(StoreError::MessageNotFound);
        let mut tree = Self {
            ids: edges.iter().map(|edge| edge.id).collect(),
            parents: Vec::with_capacity(edges.len() + messages.len()),
            nodes: Vec::with_capacity(messages.len()),
            known: edges.len(),
        };
        for edge in edges {
            tree.parents.push(edge.parent_id.map(find).transpose()?);
        }
        for message in messages {
            let node = match copies.get(&message.source_id) {
                Some(copy) => find(copy.id)?,
                None => tree.add(MessageId::new(clock), message.parent)?,
            };
            tree.nodes.push(node);
        }
        Ok(tree)
    }

    fn add(&mut self, id: MessageId, parent: Option<usize>) -> Result<usize, StoreError> {
        let node = |parent: usize| self.nodes.get(parent).copied().ok_or(StoreError::MessageNotFound);
        let parent = parent.map(node).transpose()?;
        self.ids.push(id);
        self.parents.push(parent);
        Ok(self.ids.len() - 1)
    }

    /// What a message of the file is here.
    pub(super) fn node(&self, message: Option<usize>) -> Option<usize> {
        self.nodes.get(message?).copied()
    }

    /// How many messages come.
    pub(super) fn coming(&self) -> usize {
        self.ids.len() - self.known
    }

    /// The path that ends at a message, upwards.
    pub(super) fn upwards(&self, from: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(from), |node| self.parents[*node])
    }
}
