//! What is left of erased users, and what is taken from those that are erased.

use sqlx::FromRow;

use super::StoredTime;
use crate::models::ids::StreamId;
use crate::models::money::Money;
use crate::models::price::TokenPrices;
use crate::services::privacy::Tombstone;
use crate::services::sql::rows::{KeptEntry, TakenUsage};
use crate::services::sql::values::count;

/// The columns of what is left.
#[derive(Debug, FromRow)]
pub(in super::super) struct TombstoneRecord {
    max_budget: Option<Money>,
    spend: Money,
    suspended: bool,
    erased_at: StoredTime,
}

impl From<TombstoneRecord> for Tombstone {
    fn from(record: TombstoneRecord) -> Self {
        Self {
            max_budget: record.max_budget,
            spend: record.spend,
            is_suspended: record.suspended,
            erased_at: record.erased_at.into(),
        }
    }
}

/// The prices of an answer.
#[derive(Debug, FromRow)]
pub(in super::super) struct PricesRecord {
    input_price: Option<Money>,
    output_price: Option<Money>,
    cached_input_price: Option<Money>,
}

impl From<PricesRecord> for TokenPrices {
    fn from(record: PricesRecord) -> Self {
        Self {
            input: record.input_price,
            output: record.output_price,
            cached_input: record.cached_input_price,
        }
    }
}

/// The columns of an entry of the outbox.
#[derive(Debug, FromRow)]
pub(in super::super) struct KeptRecord {
    id: StreamId,
    payload: Vec<u8>,
}

impl From<KeptRecord> for KeptEntry {
    fn from(record: KeptRecord) -> Self {
        Self {
            id: record.id,
            payload: record.payload,
        }
    }
}

/// The columns of an event that was taken out of the ledger.
#[derive(Debug, FromRow)]
pub(in super::super) struct TakenRecord {
    model: String,
    retried: bool,
    prompt_tokens: i64,
    completion_tokens: i64,
    cost: Option<Money>,
    created_at: StoredTime,
}

impl From<TakenRecord> for TakenUsage {
    fn from(record: TakenRecord) -> Self {
        Self {
            model: record.model,
            retried: record.retried,
            prompt_tokens: count(record.prompt_tokens),
            completion_tokens: count(record.completion_tokens),
            cost: record.cost,
            created_at: record.created_at.into(),
        }
    }
}
