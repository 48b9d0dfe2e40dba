//! Messages as they are read.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use crate::models::ids::{BranchId, ConversationId, MessageId};
use crate::models::message::{Message, MessageStatus, MessageUsage, Role};
use crate::models::money::Money;
use crate::services::sql::rows::{Jump, MessageRow};
use crate::services::sql::values::{EMPTY_OBJECT, count, json, named, text_json};
use crate::utils::database::DatabaseError;

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
pub(in super::super) use message_columns;

/// The columns of message `m` that a [`ShownMessageRecord`] is read from.
macro_rules! shown_message_columns {
    () => {
        concat!(
            $crate::services::sql::postgres::records::message_columns!(),
            ", ARRAY(SELECT child.id FROM messages child WHERE child.parent_id = m.id ORDER BY child.number) AS children"
        )
    };
}
pub(in super::super) use shown_message_columns;

/// The columns of a message.
#[derive(Debug, FromRow)]
pub(in super::super) struct MessageRecord {
    pub(in super::super) number: i64,
    id: MessageId,
    conversation_id: ConversationId,
    branch_id: BranchId,
    parent_id: Option<MessageId>,
    depth: i64,
    jump_id: Option<MessageId>,
    jump_depth: i64,
    role: String,
    content: String,
    parts: Option<String>,
    model: Option<String>,
    status: String,
    finish_reason: Option<String>,
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
    total_tokens: Option<i64>,
    usage_estimated: bool,
    cost: Option<Money>,
    latency_ms: Option<i64>,
    first_token_ms: Option<i64>,
    tool_calls: Option<String>,
    tool_call_id: Option<String>,
    reasoning: Option<String>,
    metadata: String,
    edited: bool,
    origin_id: Option<MessageId>,
    source_id: Option<String>,
    source_hash: Option<i64>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl MessageRecord {
    fn usage(&self) -> Option<MessageUsage> {
        let (prompt, completion) = (self.prompt_tokens?, self.completion_tokens?);
        Some(MessageUsage {
            prompt_tokens: count(prompt),
            completion_tokens: count(completion),
            total_tokens: count(self.total_tokens.unwrap_or(prompt.saturating_add(completion))),
            cost_usd: self.cost,
            estimated: self.usage_estimated,
        })
    }

    pub(in super::super) fn into_row(self) -> Result<MessageRow, DatabaseError> {
        Ok(MessageRow {
            usage: self.usage(),
            id: self.id,
            branch_id: self.branch_id,
            parent_id: self.parent_id,
            depth: self.depth,
            jump: Jump {
                id: self.jump_id,
                depth: self.jump_depth,
            },
            role: named(Role::from_name, &self.role)?,
            content: self.content,
            parts: self.parts.map(json).transpose()?,
            model: self.model,
            status: named(MessageStatus::from_name, &self.status)?,
            finish_reason: self.finish_reason,
            latency_ms: self.latency_ms.map(count),
            first_token_ms: self.first_token_ms.map(count),
            tool_calls: self.tool_calls.map(json).transpose()?,
            tool_call_id: self.tool_call_id,
            reasoning: self.reasoning,
            metadata: match self.metadata.as_str() {
                EMPTY_OBJECT => None,
                _ => Some(json(self.metadata)?),
            },
            edited: self.edited,
            origin_id: self.origin_id,
            source_id: self.source_id,
            source_hash: self.source_hash,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// The columns of a message, and what directly follows it.
#[derive(Debug, FromRow)]
pub(in super::super) struct ShownMessageRecord {
    #[sqlx(flatten)]
    pub(in super::super) message: MessageRecord,
    children: Vec<MessageId>,
}

impl ShownMessageRecord {
    pub(in super::super) fn into_model(self) -> Result<Message, DatabaseError> {
        let Self { message, children } = self;
        Ok(Message {
            usage: message.usage(),
            id: message.id,
            conversation_id: message.conversation_id,
            branch_id: message.branch_id,
            parent_id: message.parent_id,
            role: named(Role::from_name, &message.role)?,
            content: match message.parts {
                Some(parts) => json(parts)?,
                None => text_json(&message.content)?,
            },
            model: message.model,
            status: named(MessageStatus::from_name, &message.status)?,
            finish_reason: message.finish_reason,
            latency_ms: message.latency_ms.map(count),
            time_to_first_token_ms: message.first_token_ms.map(count),
            tool_calls: message.tool_calls.map(json).transpose()?,
            tool_call_id: message.tool_call_id,
            reasoning: message.reasoning,
            metadata: json(message.metadata)?,
            has_branches: children.len() > 1,
            children,
            edited: message.edited,
            created_at: message.created_at,
            updated_at: message.updated_at,
        })
    }
}
