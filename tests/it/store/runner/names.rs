//! Which id of the store has which number of the model.

use std::collections::HashMap;

use ai_chat_orchestrator::models::conversation::FullConversation;
use ai_chat_orchestrator::models::ids::{BranchId, ConversationId, MessageId};

use super::Outcome;
use crate::store::model::{B, C, M};

/// The ids of everything ever made, by their numbers.
#[derive(Debug, Default)]
pub struct Names {
    conversations: Vec<ConversationId>,
    branches: Vec<BranchId>,
    messages: Vec<MessageId>,
    branch_numbers: HashMap<BranchId, B>,
    message_numbers: HashMap<MessageId, M>,
}

impl Names {
    /// The next conversation.
    pub fn add_conversation(&mut self, id: ConversationId) {
        self.conversations.push(id);
    }

    /// Gives numbers to what is new in a conversation. Ids grow with time, as numbers do.
    pub fn bind(&mut self, full: &FullConversation, branches: usize, messages: usize) -> Outcome {
        let mut new: Vec<BranchId> = full.branches.iter().map(|branch| branch.id).collect();
        new.retain(|id| !self.branch_numbers.contains_key(id));
        new.sort_unstable();
        // An import may make branches that the model learns of later.
        new.truncate(branches - self.branches.len());
        for id in new {
            self.branch_numbers.insert(id, B(self.branches.len()));
            self.branches.push(id);
        }
        let mut new: Vec<MessageId> = full.messages.iter().map(|message| message.id).collect();
        new.retain(|id| !self.message_numbers.contains_key(id));
        new.sort_unstable();
        for id in new {
            self.message_numbers.insert(id, M(self.messages.len()));
            self.messages.push(id);
        }
        let (made_branches, made_messages) = (self.branches.len(), self.messages.len());
        if (made_branches, made_messages) == (branches, messages) {
            return Ok(());
        }
        Err(format!(
            "expected {branches} branches and {messages} messages ever made, not {made_branches} and {made_messages}"
        ))
    }

    /// The id of a conversation.
    pub fn conversation(&self, number: C) -> ConversationId {
        self.conversations[number.0]
    }

    /// The id of a branch.
    pub fn branch(&self, number: B) -> BranchId {
        self.branches[number.0]
    }

    /// The id of a message.
    pub fn message(&self, number: M) -> MessageId {
        self.messages[number.0]
    }

    /// The number of a branch, if it has one.
    pub fn branch_number(&self, id: BranchId) -> Option<B> {
        self.branch_numbers.get(&id).copied()
    }

    /// The number of a message.
    pub fn message_number(&self, id: MessageId) -> Result<M, String> {
        let number = self.message_numbers.get(&id).copied();
        number.ok_or_else(|| format!("nobody knows message {id}"))
    }

    /// The number of a branch that has to have one.
    pub fn known_branch(&self, id: BranchId) -> Result<B, String> {
        self.branch_number(id)
            .ok_or_else(|| format!("nobody knows branch {id}"))
    }
}
