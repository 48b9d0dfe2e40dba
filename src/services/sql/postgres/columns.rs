//! The columns that records are read from, so that statements stay literals: JSON as the text that it is.

use sqlx::FromRow;

use crate::models::ids::MessageId;
use crate::models::message::Message;
use crate::services::sql::records::MessageRecord;
use crate::utils::database::DatabaseError;

/// The columns of conversation `c` that a `ConversationRecord` is read from.
macro_rules! conversation_columns {
    () => {
        "c.id, c.user_id, c.title, c.search_title, c.model, c.status, c.system_message, c.metadata::text AS metadata,
         c.active_branch_id, c.message_count, c.branch_count, c.total_tokens, c.total_cost, c.preview, c.imported_from,
         c.source_hash, c.created_at, c.updated_at, c.last_message_at"
    };
}
pub(super) use conversation_columns;

/// The columns of branch `b` that a `BranchRecord` is read from.
macro_rules! branch_columns {
    () => {
        "b.id, b.conversation_id, b.name, b.status, b.is_main, b.parent_message_id, b.head_message_id, b.source_id,
         b.created_at, b.updated_at"
    };
}
pub(super) use branch_columns;

/// The columns of message `m` that a [`MessageRecord`] is read from.
macro_rules! message_columns {
    () => {
        "m.number, m.id, m.conversation_id, m.branch_id, m.parent_id, m.depth, m.jump_id, m.jump_depth, m.role,
         m.content, m.parts::text AS parts, m.model, m.status, m.finish_reason, m.prompt_tokens, m.completion_tokens,
         m.total_tokens, m.usage_estimated, m.cost, m.latency_ms, m.first_token_ms, m.tool_calls::text AS tool_calls,
         m.tool_call_id, m.reasoning, m.metadata::text AS metadata, m.edited, m.origin_id, m.source_id, m.source_hash,
         m.created_at, m.updated_at"
    };
}
pub(super) use message_columns;

/// The columns of message `m` that a [`ShownMessageRecord`] is read from.
macro_rules! shown_message_columns {
    () => {
        concat!(
            $crate::services::sql::postgres::columns::message_columns!(),
            ", ARRAY(SELECT child.id FROM messages child WHERE child.parent_id = m.id ORDER BY child.number) AS children"
        )
    };
}
pub(super) use shown_message_columns;

/// The columns of a message, and what directly follows it.
#[derive(Debug, FromRow)]
pub(super) struct ShownMessageRecord {
    #[sqlx(flatten)]
    pub(super) message: MessageRecord,
    children: Vec<MessageId>,
}

impl ShownMessageRecord {
    pub(super) fn into_model(self) -> Result<Message, DatabaseError> {
        self.message.into_model(self.children)
    }
}
