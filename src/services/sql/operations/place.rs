//! Where something new goes in a tree, and the fork that it may need.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Surroundings, branch, node};
use crate::models::branch::BranchStatus;
use crate::models::ids::{BranchId, ConversationId, MessageId};
use crate::models::message::{MessageStatus, Role};
use crate::services::conversations::StoreError;
use crate::services::sql::rows::{BranchRow, ConversationRow, Jump, MessageRow, Rows, jump_below};

/// The branch that something is appended to, and the message that it follows.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) branch: BranchRow,
    pub(super) parent: Option<MessageId>,
    /// Whether the branch was forked for it.
    pub(super) forked: bool,
}

/// The place that a request names, before any fork: the branch, else the active one; the message, else its head.
pub(super) async fn named(
    rows: &mut dyn Rows,
    conversation: &ConversationRow,
    branch_id: Option<BranchId>,
    parent: Option<MessageId>,
) -> Result<Place, StoreError> {
    let id = conversation.shown.id;
    let branch = branch(rows, id, branch_id.unwrap_or(conversation.shown.active_branch_id)).await?;
    if let Some(parent) = parent {
        node(rows, id, parent).await?;
    }
    Ok(Place {
        parent: parent.or(branch.head),
        branch,
        forked: false,
    })
}

impl Place {
    /// Forks a branch if what comes next would not be the new head of this one.
    pub(super) async fn fork_if_needed(
        self,
        rows: &mut dyn Rows,
        around: &Surroundings,
        conversation: &mut ConversationRow,
    ) -> Result<Self, StoreError> {
        if self.parent == self.branch.head {
            return Ok(self);
        }
        fork(rows, around, conversation, self.parent, None).await
    }

    /// Moves the branch's head to what was appended.
    pub(super) async fn advance(
        &mut self,
        rows: &mut dyn Rows,
        head: MessageId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.branch.head = Some(head);
        self.branch.status = BranchStatus::Active;
        self.branch.updated_at = now;
        Ok(rows.save_branch(&self.branch).await?)
    }
}

/// Makes a branch that leaves the tree at a message (or before the first one) and makes it the active one.
pub(super) async fn fork(
    rows: &mut dyn Rows,
    around: &Surroundings,
    conversation: &mut ConversationRow,
    at: Option<MessageId>,
    name: Option<&str>,
) -> Result<Place, StoreError> {
    let (limit, current) = (around.limits.branches, conversation.shown.branch_count);
    if current >= u64::from(limit) {
        return Err(StoreError::LimitReached {
            what: "branches",
            limit,
            current,
        });
    }
    let now = around.clock.now();
    let branch = BranchRow {
        id: BranchId::new(&around.clock),
        conversation_id: conversation.shown.id,
        name: name.map_or_else(|| format!("Branch {}", current + 1), str::to_owned),
        status: BranchStatus::Active,
        is_main: false,
        fork: at,
        head: at,
        source_id: None,
        created_at: now,
        updated_at: now,
    };
    rows.insert_branch(&branch).await?;
    conversation.shown.branch_count += 1;
    conversation.shown.active_branch_id = branch.id;
    conversation.shown.updated_at = now;
    Ok(Place {
        branch,
        parent: at,
        forked: true,
    })
}

/// Refuses more messages than a conversation may have.
pub(super) fn check_message_limit(
    around: &Surroundings,
    conversation: &ConversationRow,
    adding: usize,
) -> Result<(), StoreError> {
    let (limit, current) = (around.limits.messages, conversation.shown.message_count);
    if current + adding as u64 > u64::from(limit) {
        return Err(StoreError::LimitReached {
            what: "messages",
            limit,
            current,
        });
    }
    Ok(())
}

/// Finds the depths and jump pointers of messages that are about to be written. It remembers those that it made, since
/// they are not in the database yet.
#[derive(Debug)]
pub(super) struct Planter {
    conversation: ConversationId,
    known: HashMap<MessageId, (i64, Jump)>,
}

impl Planter {
    pub(super) fn new(conversation: ConversationId) -> Self {
        Self {
            conversation,
            known: HashMap::new(),
        }
    }

    /// An empty message below `parent`, or at the root.
    pub(super) async fn plant(
        &mut self,
        rows: &mut dyn Rows,
        id: MessageId,
        branch_id: BranchId,
        parent: Option<MessageId>,
        now: DateTime<Utc>,
    ) -> Result<MessageRow, StoreError> {
        let (depth, jump) = match parent {
            None => (1, Jump::default()),
            Some(parent) => {
                let (depth, jump) = self.look_up(rows, parent).await?;
                let jump_of_jump = match jump.id {
                    Some(id) => self.look_up(rows, id).await?.1,
                    None => Jump::default(),
                };
                (depth + 1, jump_below(parent, depth, jump, jump_of_jump))
            }
        };
        self.known.insert(id, (depth, jump));
        Ok(MessageRow {
            id,
            branch_id,
            parent_id: parent,
            depth,
            jump,
            role: Role::User,
            content: String::new(),
            parts: None,
            model: None,
            status: MessageStatus::Completed,
            finish_reason: None,
            usage: None,
            latency_ms: None,
            first_token_ms: None,
            tool_calls: None,
            tool_call_id: None,
            reasoning: None,
            metadata: None,
            edited: false,
            origin_id: None,
            source_id: None,
            source_hash: None,
            created_at: now,
            updated_at: now,
        })
    }

    async fn look_up(&mut self, rows: &mut dyn Rows, id: MessageId) -> Result<(i64, Jump), StoreError> {
        if let Some(known) = self.known.get(&id) {
            return Ok(*known);
        }
        let node = node(rows, self.conversation, id).await?;
        if let Some(jump) = node.jump.id {
            self.known.insert(jump, (node.jump.depth, node.jump_of_jump));
        }
        self.known.insert(id, (node.depth, node.jump));
        Ok((node.depth, node.jump))
    }
}
