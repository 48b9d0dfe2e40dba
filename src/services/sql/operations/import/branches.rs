//! The branches of an imported conversation.
//!
//! At the first import every branch ends where its source does. Later, the copy of a branch follows its source as long as
//! nobody wrote to it here, that is as long as its head is on the path that the source has now. One that was written to
//! stays as it is, and what is new at the source goes to a further copy beside it. So everything imported is on the path
//! of some branch, nothing that was done here is moved, and importing the same twice is the same as once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::super::Surroundings;
use super::super::branches::heirs;
use super::{further_copy, new_branch};
use crate::models::ids::{BranchId, MessageId};
use crate::services::conversations::StoreError;
use crate::services::conversations::transfer::import::{ImportedBranch, ImportedConversation};
use crate::services::sql::rows::{BranchRow, ConversationRow, Edge, Rows};

/// Follows the source of a branch in the names of its further copies.
const FURTHER: char = '+';

/// The branches of a copy.
pub(super) struct Branches<'a> {
    around: &'a Surroundings,
    rows: Vec<BranchRow>,
    /// Those that were written to here, so that a further copy follows their source.
    left_behind: HashSet<BranchId>,
}

impl<'a> Branches<'a> {
    pub(super) async fn load(
        rows: &mut dyn Rows,
        around: &'a Surroundings,
        conversation: &ConversationRow,
    ) -> Result<Self, StoreError> {
        let rows = rows.branch_rows(conversation.shown.id).await?;
        Ok(Self {
            around,
            rows,
            left_behind: HashSet::new(),
        })
    }

    /// The branch here that stands for each imported one; those that are missing are made, empty.
    pub(super) async fn owners(
        &mut self,
        rows: &mut dyn Rows,
        conversation: &mut ConversationRow,
        imported: &ImportedConversation,
        now: DateTime<Utc>,
    ) -> Result<Vec<BranchId>, StoreError> {
        let mut owners = Vec::with_capacity(imported.branches.len());
        for branch in &imported.branches {
            // There is always one main branch, whatever it was called elsewhere.
            let known = self.rows.iter().find(|row| match branch.is_main {
                true => row.is_main,
                false => row.source_id.as_deref() == Some(&branch.source_id),
            });
            if let Some(known) = known {
                owners.push(known.id);
                continue;
            }
            let row = new_branch(self.around, conversation.shown.id, branch, now);
            owners.push(row.id);
            self.insert(rows, conversation, row).await?;
        }
        Ok(owners)
    }

    async fn insert(
        &mut self,
        rows: &mut dyn Rows,
        conversation: &mut ConversationRow,
        row: BranchRow,
    ) -> Result<(), StoreError> {
        rows.insert_branch(&row).await?;
        conversation.shown.branch_count += 1;
        self.rows.push(row);
        Ok(())
    }

    /// Moves the heads to where the sources end.
    pub(super) async fn set_heads(
        &mut self,
        rows: &mut dyn Rows,
        conversation: &mut ConversationRow,
        imported: &ImportedConversation,
        copies: &[MessageId],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let edges = rows.edges(conversation.shown.id).await?;
        let tree = Tree(edges.iter().map(|edge| (edge.id, edge.parent_id)).collect());
        let copy = |index: Option<usize>| index.and_then(|index| copies.get(index).copied());
        for branch in &imported.branches {
            let (fork, Some(head)) = (copy(branch.fork), copy(branch.head)) else {
                continue;
            };
            self.follow(rows, conversation, branch, fork, head, &tree, now)
                .await?;
        }
        self.pass_on(rows, &edges, &tree).await
    }

    /// Messages that were brought for a branch which could not follow its source belong to one that reaches them.
    async fn pass_on(&self, rows: &mut dyn Rows, edges: &[Edge], tree: &Tree) -> Result<(), StoreError> {
        let heirs = heirs(&tree.0, self.rows.iter());
        for left in self.rows.iter().filter(|row| self.left_behind.contains(&row.id)) {
            let path = left.head.map(|head| tree.path(head)).unwrap_or_default();
            let mut inherited: HashMap<BranchId, Vec<MessageId>> = HashMap::new();
            let astray = |edge: &&Edge| edge.branch_id == left.id && !path.contains(&edge.id);
            for message in edges.iter().filter(astray).map(|edge| edge.id) {
                if let Some(heir) = heirs.get(&message) {
                    inherited.entry(*heir).or_default().push(message);
                }
            }
            for (heir, messages) in inherited {
                rows.set_branch(&messages, heir).await?;
            }
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step of the loop above, with what it goes by"
    )]
    async fn follow(
        &mut self,
        rows: &mut dyn Rows,
        conversation: &mut ConversationRow,
        imported: &ImportedBranch,
        fork: Option<MessageId>,
        head: MessageId,
        tree: &Tree,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let path = tree.path(head);
        let mut source_id = imported.source_id.clone();
        let mut is_main = imported.is_main;
        loop {
            let at = self.rows.iter().position(|row| match is_main {
                true => row.is_main,
                false => row.source_id.as_deref() == Some(&source_id),
            });
            let Some(row) = at.and_then(|at| self.rows.get_mut(at)) else {
                break;
            };
            if row.head.is_none_or(|at| path.contains(&at)) {
                let is_new = row.head.is_none();
                if row.head != Some(head) {
                    row.head = Some(head);
                    if is_new && !row.is_main {
                        row.fork = fork;
                    }
                    if !is_new {
                        row.updated_at = now;
                    }
                    rows.save_branch(row).await?;
                }
                return Ok(());
            }
            if row.head.is_some_and(|at| tree.path(at).contains(&head)) {
                return Ok(());
            }
            self.left_behind.insert(row.id);
            source_id.push(FURTHER);
            is_main = false;
        }
        let Some(first) = self.rows.first().cloned() else {
            return Ok(());
        };
        let mut row = further_copy(&first, self.around, source_id, now);
        row.name.clone_from(&imported.name);
        self.insert(rows, conversation, row.clone()).await?;
        // It leaves the others where the first message begins that none of them reaches.
        row.fork = tree.last_reached(head, self.rows.iter().filter_map(|row| row.head));
        row.head = Some(head);
        rows.save_branch(&row).await?;
        if let Some(last) = self.rows.last_mut() {
            *last = row;
        }
        Ok(())
    }
}

/// The parent of every message of the conversation.
struct Tree(HashMap<MessageId, Option<MessageId>>);

impl Tree {
    /// The messages of the path that ends here.
    fn path(&self, head: MessageId) -> HashSet<MessageId> {
        self.upwards(head).collect()
    }

    fn upwards(&self, from: MessageId) -> impl Iterator<Item = MessageId> {
        std::iter::successors(Some(from), |id| self.0.get(id).copied().flatten())
    }

    /// The last message of the path to `head` that one of these heads reaches too.
    fn last_reached(&self, head: MessageId, heads: impl Iterator<Item = MessageId>) -> Option<MessageId> {
        let reached: HashSet<MessageId> = heads.flat_map(|head| self.path(head)).collect();
        self.upwards(head).find(|id| reached.contains(id))
    }
}
