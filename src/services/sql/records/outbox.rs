//! Entries of the outbox: waiting and dead.

use sqlx::FromRow;

use super::StoredTime;
use crate::models::ids::StreamId;
use crate::services::outbox::{DeadLetter, OutboxState, Tries, WaitingEntry};
use crate::services::sql::values::count;

/// The columns of an entry that waits.
#[derive(Debug, FromRow)]
pub(in super::super) struct WaitingRecord {
    id: StreamId,
    attempts: i64,
    refusals: i64,
    next_attempt_at: StoredTime,
    reason: Option<String>,
    payload: Vec<u8>,
}

impl From<WaitingRecord> for WaitingEntry {
    fn from(record: WaitingRecord) -> Self {
        Self {
            id: record.id,
            payload: record.payload,
            tries: Tries {
                attempts: count(record.attempts),
                refusals: count(record.refusals),
                next_at: Some(record.next_attempt_at.into()),
                reason: record.reason,
            },
        }
    }
}

/// The columns of a dead letter.
#[derive(Debug, FromRow)]
pub(in super::super) struct DeadRecord {
    id: StreamId,
    created_at: StoredTime,
    attempts: i64,
    reason: Option<String>,
}

impl From<DeadRecord> for DeadLetter {
    fn from(record: DeadRecord) -> Self {
        Self {
            id: record.id,
            kept_at: record.created_at.into(),
            attempts: count(record.attempts),
            reason: record.reason,
        }
    }
}

/// The figures of the table.
#[derive(Debug, FromRow)]
pub(in super::super) struct OutboxRecord {
    pending: i64,
    oldest: Option<StoredTime>,
    dead_letters: i64,
}

impl From<OutboxRecord> for OutboxState {
    fn from(record: OutboxRecord) -> Self {
        Self {
            pending: count(record.pending),
            oldest: record.oldest.map(Into::into),
            dead_letters: count(record.dead_letters),
        }
    }
}
