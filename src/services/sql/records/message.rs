//! Messages as they are read.

use sqlx::FromRow;

use super::StoredTime;
use crate::models::ids::{BranchId, ConversationId, MessageId};
use crate::models::message::{Message, MessageStatus, MessageUsage, Role};
use crate::models::money::Money;
use crate::services::sql::rows::{Jump, MessageRow};
use crate::services::sql::values::{EMPTY_OBJECT, count, json, named, text_json};
use crate::utils::database::DatabaseError;

/// The columns of a message.
#[derive(Debug, FromRow)]
pub(in super::super) struct MessageRecord {
    pub(in super::super) number: i64,
    pub(in super::super) id: MessageId,
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
    created_at: StoredTime,
    updated_at: StoredTime,
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

    /// `children` are the messages that follow it directly.
    pub(in super::super) fn into_model(self, children: Vec<MessageId>) -> Result<Message, DatabaseError> {
        Ok(Message {
            usage: self.usage(),
            id: self.id,
            conversation_id: self.conversation_id,
            branch_id: self.branch_id,
            parent_id: self.parent_id,
            role: named(Role::from_name, &self.role)?,
            content: match self.parts {
                Some(parts) => json(parts)?,
                None => text_json(&self.content)?,
            },
            model: self.model,
            status: named(MessageStatus::from_name, &self.status)?,
            finish_reason: self.finish_reason,
            latency_ms: self.latency_ms.map(count),
            time_to_first_token_ms: self.first_token_ms.map(count),
            tool_calls: self.tool_calls.map(json).transpose()?,
            tool_call_id: self.tool_call_id,
            reasoning: self.reasoning,
            metadata: json(self.metadata)?,
            has_branches: children.len() > 1,
            children,
            edited: self.edited,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
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
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}
