//! Accounts, reservations and balances as they are read.

use sqlx::FromRow;
use uuid::Uuid;

use super::StoredTime;
use crate::models::balance::{BalanceEntry, EntryKind};
use crate::models::ids::{MessageId, StreamId, UserId};
use crate::models::money::Money;
use crate::models::price::TokenPrices;
use crate::services::billing::{Account, Orphan, UsageTotal};
use crate::services::sql::rows::{Entered, Held};
use crate::services::sql::values::{count, named, sum};
use crate::utils::database::DatabaseError;

/// The columns of an account.
#[derive(Debug, FromRow)]
pub(in super::super) struct AccountRecord {
    max_budget: Option<Money>,
    spend: Money,
    reserved: Money,
    suspended: bool,
}

impl From<AccountRecord> for Account {
    fn from(record: AccountRecord) -> Self {
        Self {
            max_budget: record.max_budget,
            spend: record.spend,
            reserved: record.reserved,
            is_suspended: record.suspended,
        }
    }
}

/// The columns of what is held back.
#[derive(Debug, FromRow)]
pub(in super::super) struct HeldRecord {
    amount: Money,
    input_price: Option<Money>,
    output_price: Option<Money>,
    cached_input_price: Option<Money>,
}

impl From<HeldRecord> for Held {
    fn from(record: HeldRecord) -> Self {
        Self {
            amount: record.amount,
            prices: TokenPrices {
                input: record.input_price,
                output: record.output_price,
                cached_input: record.cached_input_price,
            },
        }
    }
}

/// The columns of what is held back for nobody.
#[derive(Debug, FromRow)]
pub(in super::super) struct OrphanRecord {
    id: StreamId,
    user_id: UserId,
    request_id: String,
    model: String,
    streamed: bool,
    sent_bytes: i64,
    created_at: StoredTime,
    #[sqlx(flatten)]
    held: HeldRecord,
}

impl From<OrphanRecord> for Orphan {
    fn from(record: OrphanRecord) -> Self {
        Self {
            id: record.id,
            user_id: record.user_id,
            request_id: record.request_id.into(),
            model: record.model.into(),
            streamed: record.streamed,
            sent_bytes: count(record.sent_bytes),
            prices: Held::from(record.held).prices,
            created_at: record.created_at.into(),
        }
    }
}

/// The columns of what the ledger has of a stream.
#[derive(Debug, FromRow)]
pub(in super::super) struct EnteredRecord {
    provisional: bool,
    cost: Option<Money>,
    message_id: Option<MessageId>,
    model: String,
}

impl From<EnteredRecord> for Entered {
    fn from(record: EnteredRecord) -> Self {
        Self {
            provisional: record.provisional,
            cost: record.cost,
            message_id: record.message_id,
            model: record.model,
        }
    }
}

/// The columns of a change of a balance.
#[derive(Debug, FromRow)]
pub(in super::super) struct EntryRecord {
    id: Uuid,
    kind: String,
    amount: Money,
    balance_after: Option<Money>,
    message_id: Option<MessageId>,
    model: Option<String>,
    created_at: StoredTime,
}

impl EntryRecord {
    pub(in super::super) fn into_entry(self) -> Result<BalanceEntry, DatabaseError> {
        Ok(BalanceEntry {
            id: self.id,
            kind: named(EntryKind::from_name, &self.kind)?,
            amount: self.amount,
            balance_after: self.balance_after,
            message_id: self.message_id,
            model: self.model,
            created_at: self.created_at.into(),
        })
    }
}

/// The columns of what was used of a model. Sums are added up in halves, so that none is past the range.
#[derive(Debug, FromRow)]
pub(in super::super) struct UsageTotalRecord {
    user_id: UserId,
    model: String,
    requests: i64,
    prompt_high: i64,
    prompt_low: i64,
    completion_high: i64,
    completion_low: i64,
    cost_high: i64,
    cost_low: i64,
    unpriced: i64,
}

impl From<UsageTotalRecord> for UsageTotal {
    fn from(record: UsageTotalRecord) -> Self {
        Self {
            user_id: record.user_id,
            model: record.model,
            requests: count(record.requests),
            prompt_tokens: count(sum(record.prompt_high, record.prompt_low)),
            completion_tokens: count(sum(record.completion_high, record.completion_low)),
            cost: Money::from_nano(sum(record.cost_high, record.cost_low)),
            unpriced: count(record.unpriced),
        }
    }
}
