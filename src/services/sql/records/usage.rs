//! Sums of usage as they are read.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;

use super::StoredTime;
use crate::services::analytics::{Figures, TimedFigures};
use crate::services::sql::values::count;

/// The columns of sums.
#[derive(Debug, FromRow)]
pub(in super::super) struct SumsRecord {
    requests: i64,
    errors: i64,
    streamed: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    cached_tokens: i64,
    reasoning_tokens: i64,
    cost: i64,
    latency_sum: i64,
    latency_count: i64,
    first_token_sum: i64,
    first_token_count: i64,
}

impl From<SumsRecord> for Figures {
    fn from(record: SumsRecord) -> Self {
        Self {
            requests: count(record.requests),
            errors: count(record.errors),
            streamed: count(record.streamed),
            prompt_tokens: count(record.prompt_tokens),
            completion_tokens: count(record.completion_tokens),
            cached_tokens: count(record.cached_tokens),
            reasoning_tokens: count(record.reasoning_tokens),
            cost: record.cost,
            latency_sum: count(record.latency_sum),
            latency_count: count(record.latency_count),
            first_token_sum: count(record.first_token_sum),
            first_token_count: count(record.first_token_count),
        }
    }
}

/// The sums of an hour or a day.
#[derive(Debug, FromRow)]
pub(in super::super) struct TimedSumsRecord {
    /// What local clocks show when it begins, as if they were those of UTC.
    begins: StoredTime,
    offset_ms: i64,
    #[sqlx(flatten)]
    sums: SumsRecord,
}

impl From<TimedSumsRecord> for TimedFigures {
    fn from(record: TimedSumsRecord) -> Self {
        Self {
            begins: DateTime::<Utc>::from(record.begins).naive_utc(),
            offset: TimeDelta::milliseconds(record.offset_ms),
            figures: record.sums.into(),
        }
    }
}

/// The sums of a model.
#[derive(Debug, FromRow)]
pub(in super::super) struct ModelSumsRecord {
    model: String,
    #[sqlx(flatten)]
    sums: SumsRecord,
}

impl From<ModelSumsRecord> for (String, Figures) {
    fn from(record: ModelSumsRecord) -> Self {
        (record.model, record.sums.into())
    }
}
