//! Writing messages, and walking their tree.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::RowsResult;
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::models::message::{MessageStatus, MessageUsage, Role};
use crate::models::money::Money;
use crate::services::conversations::ContextMessage;

/// A pointer to an ancestor further up; without an id, to the nothing above the root.
///
/// Each message has one, chosen as in Myers' skew-binary random-access lists ("An applicative random-access stack",
/// 1983), so that the ancestor at any depth is found in a logarithmic number of steps and a message costs one pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Jump {
    /// The ancestor.
    pub id: Option<MessageId>,
    /// Its depth; 0 without one.
    pub depth: i64,
}

/// A message's place in the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its id.
    pub id: MessageId,
    /// The message before it.
    pub parent_id: Option<MessageId>,
    /// The branch that it was written on.
    pub branch_id: BranchId,
    /// 1 at the root: the length of the path that ends here.
    pub depth: i64,
    /// Its pointer.
    pub jump: Jump,
    /// The pointer of the message that its pointer leads to.
    pub jump_of_jump: Jump,
    /// Who speaks.
    pub role: Role,
    /// How complete it is.
    pub status: MessageStatus,
    /// Tools that the model wanted called.
    pub tool_calls: Option<Box<RawValue>>,
}

/// The pointer of what follows a message: two jumps of the same length are joined into one.
#[must_use]
pub fn jump_below(id: MessageId, depth: i64, jump: Jump, jump_of_jump: Jump) -> Jump {
    if depth - jump.depth == jump.depth - jump_of_jump.depth {
        jump_of_jump
    } else {
        Jump { id: Some(id), depth }
    }
}

/// A message as it is stored.
#[derive(Debug, Clone)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// The branch that it is written on.
    pub branch_id: BranchId,
    /// The message before it.
    pub parent_id: Option<MessageId>,
    /// 1 at the root.
    pub depth: i64,
    /// Its pointer to an ancestor.
    pub jump: Jump,
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
    /// The content parts, where there is more than text.
    pub parts: Option<Box<RawValue>>,
    /// The model that wrote it.
    pub model: Option<String>,
    /// How complete it is.
    pub status: MessageStatus,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// What it used and cost.
    pub usage: Option<MessageUsage>,
    /// Milliseconds from the start to the end.
    pub latency_ms: Option<u64>,
    /// Milliseconds from the start to the first token.
    pub first_token_ms: Option<u64>,
    /// Tools that the model wanted called.
    pub tool_calls: Option<Box<RawValue>>,
    /// The call that it answers.
    pub tool_call_id: Option<String>,
    /// What the model thought.
    pub reasoning: Option<String>,
    /// The client's own data; `None` is the empty object.
    pub metadata: Option<Box<RawValue>>,
    /// Whether its text was changed.
    pub edited: bool,
    /// For a copy that a merge made: the message that it is a copy of in the end.
    pub origin_id: Option<MessageId>,
    /// The message of the source that it is a copy of, if it was imported.
    pub source_id: Option<String>,
    /// Stands for what the source said when it was last imported.
    pub source_hash: Option<i64>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A message and what it is a copy of in the end: itself, if it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The message.
    pub id: MessageId,
    /// What it is a copy of.
    pub origin: MessageId,
}

/// A message in the tree, and the branch that it was written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The message.
    pub id: MessageId,
    /// The message before it.
    pub parent_id: Option<MessageId>,
    /// The branch.
    pub branch_id: BranchId,
}

/// What deleted messages took with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Messages.
    pub messages: u64,
    /// Their tokens.
    pub tokens: u64,
    /// What they cost, as far as that is known.
    pub cost: Money,
}

/// Another text for a message.
#[derive(Debug, Clone, Copy)]
pub struct NewText<'a> {
    /// The text.
    pub content: &'a str,
    /// The content parts, where there is more than text.
    pub parts: Option<&'a RawValue>,
    /// Whether the message counts as edited.
    pub edited: bool,
    /// Stands for the text if an import brings it; `None` leaves what the last one brought.
    pub source_hash: Option<i64>,
    /// When it changed.
    pub updated_at: DateTime<Utc>,
}

/// A message that an earlier import made.
#[derive(Debug, Clone)]
pub struct ImportedCopy {
    /// The message.
    pub id: MessageId,
    /// What it is a copy of in the end, within what was merged: itself, if no merge made it.
    pub origin: MessageId,
    /// The message of the source that it is a copy of.
    pub source_id: String,
    /// Stands for what the source said when it was last imported.
    pub source_hash: Option<i64>,
}

/// Writing messages, and walking their tree.
#[async_trait]
pub trait MessageRows {
    /// Inserts messages in this order (parents first) and makes them searchable for the user: the text of each becomes
    /// its [`index_text`](crate::services::conversations::search::index_text).
    async fn insert_messages(
        &mut self,
        user: UserId,
        conversation: ConversationId,
        rows: &[MessageRow],
    ) -> RowsResult<()>;

    /// Gives a message another text, and makes it searchable by that.
    async fn set_text(&mut self, id: MessageId, text: NewText<'_>) -> RowsResult<()>;

    /// Removes messages. What follows them is among them, and no branch forks or ends there any more.
    async fn delete_messages(&mut self, ids: &[MessageId]) -> RowsResult<Removed>;

    /// Says that messages were written on another branch.
    async fn set_branch(&mut self, ids: &[MessageId], branch: BranchId) -> RowsResult<()>;

    /// A message's place.
    async fn node(&mut self, conversation: ConversationId, id: MessageId) -> RowsResult<Option<Node>>;

    /// The path that ends at `head`, the root first.
    async fn path_origins(&mut self, head: Option<MessageId>) -> RowsResult<Vec<Origin>>;

    /// A message and all that follows it, in any order.
    async fn subtree(&mut self, id: MessageId) -> RowsResult<Vec<MessageId>>;

    /// All messages of the conversation, parents first.
    async fn edges(&mut self, conversation: ConversationId) -> RowsResult<Vec<Edge>>;

    /// Messages whole, parents first.
    async fn message_rows(&mut self, ids: &[MessageId]) -> RowsResult<Vec<MessageRow>>;

    /// The newest `limit` messages of the path that ends at `head`, the oldest first.
    async fn context(&mut self, head: MessageId, limit: u32) -> RowsResult<Vec<ContextMessage>>;

    /// What earlier imports brought into the conversation.
    async fn imported_copies(&mut self, conversation: ConversationId) -> RowsResult<Vec<ImportedCopy>>;
}
