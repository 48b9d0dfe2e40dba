//! What is kept of a user, as it is exported.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;

use super::{EntryRecord, StoredTime};
use crate::models::balance::BalanceEntry;
use crate::models::ids::{ConversationId, MessageId, StreamId};
use crate::models::message::MessageStatus;
use crate::models::money::Money;
use crate::models::privacy::{ExportedUsage, ExportedUses};
use crate::services::sql::values::count;
use crate::utils::database::DatabaseError;

/// The columns of how often something was done on a day.
#[derive(Debug, FromRow)]
pub(in super::super) struct UsesRecord {
    day: i64,
    feature: String,
    uses: i64,
}

impl UsesRecord {
    pub(in super::super) fn into_uses(self) -> Result<ExportedUses, DatabaseError> {
        let day = TimeDelta::try_days(self.day)
            .and_then(|days| DateTime::UNIX_EPOCH.date_naive().checked_add_signed(days));
        Ok(ExportedUses {
            day: day.ok_or_else(|| DatabaseError::corrupt("day", format!("no day: {}", self.day)))?,
            feature: self.feature,
            uses: count(self.uses),
        })
    }
}

/// The columns of a change of a balance, and its number.
#[derive(Debug, FromRow)]
pub(in super::super) struct NumberedEntryRecord {
    number: i64,
    #[sqlx(flatten)]
    entry: EntryRecord,
}

impl NumberedEntryRecord {
    pub(in super::super) fn into_numbered(self) -> Result<(i64, BalanceEntry), DatabaseError> {
        Ok((self.number, self.entry.into_entry()?))
    }
}

/// A conversation, and when it was made.
#[derive(Debug, FromRow)]
pub(in super::super) struct PlaceRecord {
    created_at: StoredTime,
    id: ConversationId,
}

impl From<PlaceRecord> for (DateTime<Utc>, ConversationId) {
    fn from(record: PlaceRecord) -> Self {
        (record.created_at.into(), record.id)
    }
}

/// The columns of the ledger.
#[derive(Debug, FromRow)]
pub(in super::super) struct UsageRecord {
    id: StreamId,
    attempt: i64,
    request_id: String,
    conversation_id: Option<ConversationId>,
    message_id: Option<MessageId>,
    model: String,
    status: String,
    error: Option<String>,
    streamed: bool,
    prompt_tokens: i64,
    completion_tokens: i64,
    cached_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    estimated: bool,
    cost: Option<Money>,
    latency_ms: Option<i64>,
    first_token_ms: Option<i64>,
    created_at: StoredTime,
}

impl From<UsageRecord> for ExportedUsage {
    fn from(record: UsageRecord) -> Self {
        Self {
            stream_id: record.id,
            attempt: count(record.attempt),
            request_id: record.request_id,
            conversation_id: record.conversation_id,
            message_id: record.message_id,
            model: record.model,
            status: MessageStatus::from_name(&record.status),
            error: record.error,
            streamed: record.streamed,
            prompt_tokens: count(record.prompt_tokens),
            completion_tokens: count(record.completion_tokens),
            cached_tokens: record.cached_tokens.map(count),
            reasoning_tokens: record.reasoning_tokens.map(count),
            estimated: record.estimated,
            cost_usd: record.cost,
            latency_ms: record.latency_ms.map(count),
            time_to_first_token_ms: record.first_token_ms.map(count),
            created_at: record.created_at.into(),
        }
    }
}
