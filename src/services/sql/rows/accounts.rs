//! Accounts, what is reserved in them, and what changes them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::RowsResult;
use crate::models::balance::BalanceEntry;
use crate::models::common::Page;
use crate::models::ids::{InstanceId, MessageId, StreamId, UserId};
use crate::models::money::Money;
use crate::models::price::TokenPrices;
use crate::services::billing::{Account, NewEntry, Orphan, UsageEvent, UsageTotal};

/// What is held back for an answer.
#[derive(Debug, Clone)]
pub struct ReservationRow {
    /// Its stream.
    pub id: StreamId,
    /// Whose it is.
    pub user_id: UserId,
    /// The instance that produces it.
    pub instance_id: InstanceId,
    /// How much.
    pub amount: Money,
    /// The prices that it was begun at.
    pub prices: TokenPrices,
    /// The model that is asked.
    pub model: Arc<str>,
    /// The request that asks.
    pub request_id: Arc<str>,
    /// Whether the client reads a stream.
    pub streamed: bool,
    /// Bytes of text that the model is sent.
    pub sent_bytes: u64,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// What was held back.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// How much.
    pub amount: Money,
    /// The prices that the answer was begun at.
    pub prices: TokenPrices,
}

/// What the ledger has of a stream.
#[derive(Debug, Clone)]
pub struct Entered {
    /// Whether whoever produced it may still say what it really was.
    pub provisional: bool,
    /// What was charged.
    pub cost: Option<Money>,
    /// The answer's message.
    pub message_id: Option<MessageId>,
    /// Its model.
    pub model: String,
}

/// Accounts, what is reserved in them, and what changes them.
#[async_trait]
pub trait AccountRows {
    /// The user's account, locked until the transaction ends.
    async fn lock_account(&mut self, user: UserId) -> RowsResult<Option<Account>>;

    /// Makes the user's account, unless somebody else has just done that.
    async fn make_account(&mut self, user: UserId, account: &Account, now: DateTime<Utc>) -> RowsResult<()>;

    /// The user's account, as it is.
    async fn account(&mut self, user: UserId) -> RowsResult<Option<Account>>;

    /// Writes an account that is locked.
    async fn save_account(&mut self, user: UserId, account: &Account, now: DateTime<Utc>) -> RowsResult<()>;

    /// Notes what is held back.
    async fn insert_reservation(&mut self, row: &ReservationRow) -> RowsResult<()>;

    /// What is held back for a stream.
    async fn reservation(&mut self, id: StreamId) -> RowsResult<Option<Held>>;

    /// Removes what is held back for a stream, and tells what it was.
    async fn take_reservation(&mut self, id: StreamId) -> RowsResult<Option<Held>>;

    /// Writes down what changed a balance.
    async fn insert_entry(&mut self, id: uuid::Uuid, entry: &NewEntry) -> RowsResult<()>;

    /// What the ledger has of a stream.
    async fn entered(&mut self, id: StreamId) -> RowsResult<Option<Entered>>;

    /// Enters usage into the ledger, which has nothing of its stream.
    async fn insert_usage(&mut self, event: &UsageEvent) -> RowsResult<()>;

    /// Takes the usage of a stream out of the ledger.
    async fn remove_usage(&mut self, id: StreamId) -> RowsResult<()>;

    /// What the user was charged since then, without what was given back.
    async fn spent_since(&mut self, user: UserId, since: DateTime<Utc>) -> RowsResult<Money>;

    /// One page of what changed the user's balance, the newest first; and how many there are.
    async fn entries(&mut self, user: UserId, page: Page) -> RowsResult<(Vec<BalanceEntry>, u64)>;

    /// Reservations that this instance made before then, but for those of these streams. What is recorded as running or
    /// waits in the outbox is not among them.
    async fn orphans_here(
        &mut self,
        instance: InstanceId,
        before: DateTime<Utc>,
        known: &[StreamId],
        limit: u32,
    ) -> RowsResult<Vec<Orphan>>;

    /// The same of other instances that said nothing for so long.
    async fn orphans_of_others(
        &mut self,
        instance: InstanceId,
        silence: Duration,
        limit: u32,
    ) -> RowsResult<Vec<Orphan>>;

    /// Reservations that are open.
    async fn count_reservations(&mut self) -> RowsResult<u64>;

    /// What was used since then, by user and model.
    async fn usage_totals(&mut self, since: DateTime<Utc>) -> RowsResult<Vec<UsageTotal>>;
}
