//! From rows to what the traits of [`rows`](crate::services::sql::rows) hand on.
//!
//! The macros name the columns of each row, so that statements stay literals: `c` is the conversation, `b` the branch,
//! `m` the message.

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::value::RawValue;
use sqlx::FromRow;

use crate::models::branch::{Branch, BranchStatus};
use crate::models::conversation::{Conversation, ConversationStatus};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::models::message::{Message, MessageStatus, MessageUsage, Role};
use crate::models::money::Money;
use crate::services::sql::rows::{BranchRow, ConversationRow};
use crate::utils::database::DatabaseError;

/// What a [`ConversationColumns`] is read from.
macro_rules! conversation_columns {
    () => {
        "c.id, c.user_id, c.title, c.search_title, c.model, c.status, c.system_message, c.metadata::text AS metadata,
         c.active_branch_id, c.message_count, c.branch_count, c.total_tokens, c.total_cost, c.preview, c.imported_from,
         c.created_at, c.updated_at, c.last_message_at"
    };
}

/// What a [`BranchColumns`] is read from.
macro_rules! branch_columns {
    () => {
        "b.id, b.conversation_id, b.name, b.status, b.is_main, b.parent_message_id, b.head_message_id, b.source_id,
         b.created_at, b.updated_at"
    };
}

/// What a [`MessageColumns`] is read from.
macro_rules! message_columns {
    () => {
        "m.id, m.conversation_id, m.branch_id, m.parent_id, m.role, m.content, m.parts::text AS parts, m.model,
         m.status, m.finish_reason, m.prompt_tokens, m.completion_tokens, m.total_tokens, m.usage_estimated, m.cost,
         m.latency_ms, m.first_token_ms, m.tool_calls::text AS tool_calls, m.tool_call_id, m.reasoning,
         m.metadata::text AS metadata, m.edited, m.created_at, m.updated_at,
         ARRAY(SELECT k.id FROM messages k WHERE k.parent_id = m.id ORDER BY k.number) AS children"
    };
}

/// A time as it is stored: in whole milliseconds, on every database.
pub(super) fn millis(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(3)
}

/// A stored count; none is ever below zero.
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

/// A stored name of a closed list.
pub(super) fn named<T>(read: impl Fn(&str) -> Option<T>, name: &str) -> Result<T, DatabaseError> {
    read(name).ok_or_else(|| DatabaseError::Corrupt(format!("name {name}")))
}

#[derive(Debug, FromRow)]
pub(super) struct ConversationColumns {
    id: ConversationId,
    user_id: UserId,
    title: Option<String>,
    search_title: String,
    model: Option<String>,
    status: String,
    system_message: Option<String>,
    metadata: String,
    active_branch_id: BranchId,
    message_count: i64,
    branch_count: i64,
    total_tokens: i64,
    total_cost: Money,
    preview: Option<String>,
    imported_from: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_message_at: Option<DateTime<Utc>>,
}

impl ConversationColumns {
    pub(super) fn into_row(self) -> Result<ConversationRow, DatabaseError> {
        Ok(ConversationRow {
            shown: Conversation {
                id: self.id,
                title: self.title,
                model: self.model,
                status: named(ConversationStatus::from_name, &self.status)?,
                system_message: self.system_message,
                metadata: json(self.metadata)?,
                user_id: self.user_id,
                active_branch_id: self.active_branch_id,
                message_count: count(self.message_count),
                branch_count: count(self.branch_count),
                total_tokens: count(self.total_tokens),
                total_cost: self.total_cost,
                preview: self.preview,
                imported_from: self.imported_from,
                created_at: self.created_at,
                updated_at: self.updated_at,
                last_message_at: self.last_message_at,
            },
            search_title: self.search_title,
        })
    }

    pub(super) fn into_shown(self) -> Result<Conversation, DatabaseError> {
        self.into_row().map(|row| row.shown)
    }
}

#[derive(Debug, FromRow)]
pub(super) struct BranchColumns {
    id: BranchId,
    conversation_id: ConversationId,
    name: String,
    status: String,
    is_main: bool,
    parent_message_id: Option<MessageId>,
    head_message_id: Option<MessageId>,
    source_id: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl BranchColumns {
    pub(super) fn into_row(self) -> Result<BranchRow, DatabaseError> {
        Ok(BranchRow {
            id: self.id,
            conversation_id: self.conversation_id,
            name: self.name,
            status: named(BranchStatus::from_name, &self.status)?,
            is_main: self.is_main,
            fork: self.parent_message_id,
            head: self.head_message_id,
            source_id: self.source_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// A branch and the lengths of the paths to its head and to its fork.
#[derive(Debug, FromRow)]
pub(super) struct MeasuredBranch {
    #[sqlx(flatten)]
    columns: BranchColumns,
    path_length: i64,
    shared_length: i64,
}

impl MeasuredBranch {
    pub(super) fn into_shown(self, active: BranchId) -> Result<Branch, DatabaseError> {
        let row = self.columns.into_row()?;
        Ok(Branch {
            is_active: row.id == active,
            id: row.id,
            conversation_id: row.conversation_id,
            name: row.name,
            status: row.status,
            is_main: row.is_main,
            parent_message_id: row.fork,
            head_message_id: row.head,
            message_count: count(self.path_length),
            own_message_count: count(self.path_length - self.shared_length),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

#[derive(Debug, FromRow)]
pub(super) struct UsageColumns {
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
    total_tokens: Option<i64>,
    usage_estimated: bool,
    cost: Option<Money>,
}

impl UsageColumns {
    pub(super) fn into_usage(self) -> Option<MessageUsage> {
        let (prompt, completion) = (self.prompt_tokens?, self.completion_tokens?);
        Some(MessageUsage {
            prompt_tokens: count(prompt),
            completion_tokens: count(completion),
            total_tokens: self
                .total_tokens
                .map_or_else(|| count(prompt).saturating_add(count(completion)), count),
            cost_usd: self.cost,
            estimated: self.usage_estimated,
        })
    }
}

#[derive(Debug, FromRow)]
pub(super) struct MessageColumns {
    id: MessageId,
    conversation_id: ConversationId,
    branch_id: BranchId,
    parent_id: Option<MessageId>,
    role: String,
    content: String,
    parts: Option<String>,
    model: Option<String>,
    status: String,
    finish_reason: Option<String>,
    #[sqlx(flatten)]
    usage: UsageColumns,
    latency_ms: Option<i64>,
    first_token_ms: Option<i64>,
    tool_calls: Option<String>,
    tool_call_id: Option<String>,
    reasoning: Option<String>,
    metadata: String,
    edited: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    children: Vec<MessageId>,
}

impl MessageColumns {
    pub(super) fn into_shown(self) -> Result<Message, DatabaseError> {
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
            usage: self.usage.into_usage(),
            latency_ms: self.latency_ms.map(count),
            time_to_first_token_ms: self.first_token_ms.map(count),
            tool_calls: self.tool_calls.map(json).transpose()?,
            tool_call_id: self.tool_call_id,
            reasoning: self.reasoning,
            metadata: json(self.metadata)?,
            has_branches: self.children.len() > 1,
            children: self.children,
            edited: self.edited,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

fn text_json(text: &str) -> Result<Box<RawValue>, DatabaseError> {
    serde_json::value::to_raw_value(text).map_err(|error| DatabaseError::Corrupt(format!("text: {error}")))
}

/// All messages as they are shown.
pub(super) fn shown(rows: Vec<MessageColumns>) -> Result<Vec<Message>, DatabaseError> {
    rows.into_iter().map(MessageColumns::into_shown).collect()
}
