//! From rows to what the API shows. The order of columns is that of the `COLUMNS` beside each row.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::FromRow;

use crate::models::branch::{Branch, BranchStatus};
use crate::models::conversation::{Conversation, ConversationStatus};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::models::message::{Message, MessageStatus, MessageUsage, Role};
use crate::models::money::Money;
use crate::utils::database::DatabaseError;

/// The time of a stored number of milliseconds.
pub(super) fn time(millis: i64) -> Result<DateTime<Utc>, DatabaseError> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| DatabaseError::Corrupt(format!("time {millis}")))
}

/// A stored count; the schema never lets one fall below zero.
pub(super) fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// A count as it is stored.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Stored JSON.
pub(super) fn json(text: String) -> Result<Box<RawValue>, DatabaseError> {
    RawValue::from_string(text).map_err(|error| DatabaseError::Corrupt(format!("JSON: {error}")))
}

fn text_json(text: &str) -> Result<Box<RawValue>, DatabaseError> {
    serde_json::value::to_raw_value(text).map_err(|error| DatabaseError::Corrupt(format!("text: {error}")))
}

/// A stored name of a closed list.
pub(super) fn named<T>(read: impl Fn(&str) -> Option<T>, name: &str) -> Result<T, DatabaseError> {
    read(name).ok_or_else(|| DatabaseError::Corrupt(format!("name {name}")))
}

#[derive(Debug, FromRow)]
pub(super) struct ConversationRow {
    id: ConversationId,
    user_id: UserId,
    title: Option<String>,
    model: Option<String>,
    status: String,
    system_message: Option<String>,
    metadata: String,
    pub(super) active_branch_id: BranchId,
    message_count: i64,
    branch_count: i64,
    total_tokens: i64,
    total_cost: Money,
    preview: Option<String>,
    created_at: i64,
    updated_at: i64,
    last_message_at: Option<i64>,
}

impl ConversationRow {
    pub(super) fn into_model(self) -> Result<Conversation, DatabaseError> {
        Ok(Conversation {
            id: self.id,
            title: self.title,
            model: self.model,
            status: match self.status.as_str() {
                "active" => ConversationStatus::Active,
                "archived" => ConversationStatus::Archived,
                other => return Err(DatabaseError::Corrupt(format!("status {other}"))),
            },
            system_message: self.system_message,
            metadata: json(self.metadata)?,
            user_id: self.user_id,
            active_branch_id: self.active_branch_id,
            message_count: count(self.message_count),
            branch_count: count(self.branch_count),
            total_tokens: count(self.total_tokens),
            total_cost: self.total_cost,
            preview: self.preview,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
            last_message_at: self.last_message_at.map(time).transpose()?,
        })
    }
}

#[derive(Debug, FromRow)]
pub(super) struct BranchRow {
    id: BranchId,
    conversation_id: ConversationId,
    name: String,
    status: String,
    is_main: bool,
    parent_message_id: Option<MessageId>,
    pub(super) head_message_id: Option<MessageId>,
    path_length: i64,
    shared_length: i64,
    created_at: i64,
    updated_at: i64,
}

impl BranchRow {
    pub(super) fn into_model(self, active: BranchId) -> Result<Branch, DatabaseError> {
        Ok(Branch {
            is_active: self.id == active,
            id: self.id,
            conversation_id: self.conversation_id,
            name: self.name,
            status: match self.status.as_str() {
                "active" => BranchStatus::Active,
                "merged" => BranchStatus::Merged,
                "abandoned" => BranchStatus::Abandoned,
                other => return Err(DatabaseError::Corrupt(format!("status {other}"))),
            },
            is_main: self.is_main,
            parent_message_id: self.parent_message_id,
            head_message_id: self.head_message_id,
            message_count: count(self.path_length),
            own_message_count: count(self.path_length - self.shared_length),
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

#[derive(Debug, FromRow)]
pub(super) struct MessageRow {
    pub(super) id: MessageId,
    conversation_id: ConversationId,
    branch_id: BranchId,
    pub(super) parent_id: Option<MessageId>,
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
    created_at: i64,
    updated_at: i64,
}

impl MessageRow {
    /// `children` are the messages that follow it directly.
    pub(super) fn into_model(self, children: Vec<MessageId>) -> Result<Message, DatabaseError> {
        let usage = match (self.prompt_tokens, self.completion_tokens) {
            (Some(prompt), Some(completion)) => Some(MessageUsage {
                prompt_tokens: count(prompt),
                completion_tokens: count(completion),
                total_tokens: self
                    .total_tokens
                    .map_or_else(|| count(prompt + completion), count),
                cost_usd: self.cost,
                estimated: self.usage_estimated,
            }),
            _ => None,
        };
        Ok(Message {
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
            usage,
            latency_ms: self.latency_ms.map(count),
            time_to_first_token_ms: self.first_token_ms.map(count),
            tool_calls: self.tool_calls.map(json).transpose()?,
            tool_call_id: self.tool_call_id,
            reasoning: self.reasoning,
            metadata: json(self.metadata)?,
            has_branches: children.len() > 1,
            children,
            edited: self.edited,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}
