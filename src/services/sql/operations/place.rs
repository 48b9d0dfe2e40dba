//! Where something new goes in a tree, and the fork that it may need.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Environment, branch, check_limit, node};
use crate::models::branch::BranchStatus;
use crate::models::ids::{BranchId, ConversationId, MessageId};
use crate::models::message::{MessageStatus, Role};
use crate::services::conversations::StoreError;
use crate::services::sql::rows::{BranchRow, ConversationRow, Jump, MessageRow, Rows, jump_below};

/// What the name of a branch that was given none begins with.
const AUTOMATIC_NAME: &str = "Branch ";

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
        environment: &Environment,
        conversation: &mut ConversationRow,
    ) -> Result<Self, StoreError> {
        if self.parent == self.branch.head {
            return Ok(self);
        }
        fork(
            rows,
            environment,
            conversation,
            NewFork::active(self.parent, None),
        )
        .await
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

/// A branch that is to be forked.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewFork<'a> {
    /// The message at which it leaves the tree, or before the first one.
    pub(super) at: Option<MessageId>,
    /// Its name, if it was given one.
    pub(super) name: Option<&'a str>,
    /// Whether it becomes the active one.
    pub(super) activate: bool,
}

impl<'a> NewFork<'a> {
    /// One that becomes the active branch.
    pub(super) const fn active(at: Option<MessageId>, name: Option<&'a str>) -> Self {
        Self {
            at,
            name,
            activate: true,
        }
    }
}

/// Makes a branch that leaves the tree at a message.
pub(super) async fn fork(
    rows: &mut dyn Rows,
    environment: &Environment,
    conversation: &mut ConversationRow,
    new: NewFork<'_>,
) -> Result<Place, StoreError> {
    check_limit(
        "branches",
        environment.limits.branches,
        conversation.shown.branch_count,
        1,
    )?;
    let name = match new.name {
        Some(name) => name.to_owned(),
        None => free_name(rows, conversation.shown.id).await?,
    };
    let now = environment.clock.now();
    let branch = BranchRow {
        id: BranchId::new(&environment.clock),
        conversation_id: conversation.shown.id,
        name,
        status: BranchStatus::Active,
        is_main: false,
        fork: new.at,
        head: new.at,
        source_id: None,
        created_at: now,
        updated_at: now,
    };
    rows.insert_branch(&branch).await?;
    conversation.shown.branch_count += 1;
    if new.activate {
        conversation.shown.active_branch_id = branch.id;
    }
    conversation.shown.updated_at = now;
    Ok(Place {
        branch,
        parent: new.at,
        forked: true,
    })
}

/// The name of a branch that was given none: "Branch" and the number after the highest that is in use, and never less than
/// what the number of branches suggests.
async fn free_name(rows: &mut dyn Rows, conversation: ConversationId) -> Result<String, StoreError> {
    let branches = rows.branch_rows(conversation).await?;
    let highest = branches
        .iter()
        .filter_map(|branch| automatic_number(&branch.name))
        .max();
    let number = highest
        .unwrap_or_default()
        .max(branches.len() as u64)
        .saturating_add(1);
    Ok(format!("{AUTOMATIC_NAME}{number}"))
}

fn automatic_number(name: &str) -> Option<u64> {
    name.strip_prefix(AUTOMATIC_NAME)?.parse().ok()
}

/// Refuses more messages than a conversation may have.
pub(super) fn check_message_limit(
    environment: &Environment,
    conversation: &ConversationRow,
    adding: usize,
) -> Result<(), StoreError> {
    let (limit, current) = (environment.limits.messages, conversation.shown.message_count);
    check_limit("messages", limit, current, adding as u64)
}

/// Finds the depths and jump pointers of messages that are about to be written. It remembers those that it made, since
/// they are not in the database yet.
#[derive(Debug)]
pub(super) struct RowBuilder {
    conversation: ConversationId,
    known: HashMap<MessageId, (i64, Jump)>,
}

impl RowBuilder {
    pub(super) fn new(conversation: ConversationId) -> Self {
        Self {
            conversation,
            known: HashMap::new(),
        }
    }

    /// An empty message below `parent`, or at the root.
    pub(super) async fn row_below(
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
