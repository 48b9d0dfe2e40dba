//! Erasing a user, and what is left of one.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::RowsResult;
use crate::models::ids::{ConversationId, StreamId, UserId};
use crate::models::money::Money;
use crate::models::price::TokenPrices;
use crate::services::privacy::{Tombstone, TombstoneId};

/// An event that was taken out of the ledger.
#[derive(Debug, Clone)]
pub struct TakenUsage {
    /// The model that was asked.
    pub model: String,
    /// Whether another try followed, which counts as the request.
    pub retried: bool,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// What it cost, if that is known.
    pub cost: Option<Money>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// What was used of a model on a day, by nobody in particular.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnonymousUsage {
    /// Answers, also those that failed.
    pub requests: u64,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// What was charged.
    pub cost: Money,
}

/// What the outbox has of a user.
#[derive(Debug, Clone)]
pub struct KeptEntry {
    /// Its stream.
    pub id: StreamId,
    /// What it is, as JSON, if nobody has corrupted it.
    pub payload: Vec<u8>,
}

/// Erasing a user. A method that takes a limit removes at most so many rows, and tells how many these were.
#[async_trait]
pub trait ErasureRows {
    /// What is left of somebody.
    async fn tombstone(&mut self, id: &TombstoneId) -> RowsResult<Option<Tombstone>>;

    /// The same, locked until the transaction ends.
    async fn lock_tombstone(&mut self, id: &TombstoneId) -> RowsResult<Option<Tombstone>>;

    /// Writes what is left of somebody, in place of what was left before.
    async fn save_tombstone(&mut self, id: &TombstoneId, left: &Tombstone) -> RowsResult<()>;

    /// Whether there is a row of the user, which is locked until the transaction ends.
    async fn lock_user_row(&mut self, user: UserId) -> RowsResult<bool>;

    /// One of the user's conversations.
    async fn any_conversation(&mut self, user: UserId) -> RowsResult<Option<ConversationId>>;

    /// Entries of the outbox that are the user's, at most so many; also such as are not tried any more.
    async fn kept_entries(&mut self, user: UserId, limit: u32) -> RowsResult<Vec<KeptEntry>>;

    /// Removes an entry of the outbox.
    async fn remove_entry(&mut self, id: StreamId) -> RowsResult<()>;

    /// Takes events of the user out of the ledger.
    async fn take_usage(&mut self, user: UserId, limit: u32) -> RowsResult<Vec<TakenUsage>>;

    /// Adds to what was used of a model on the day that begins then.
    async fn add_anonymous_usage(
        &mut self,
        day: DateTime<Utc>,
        model: &str,
        usage: AnonymousUsage,
    ) -> RowsResult<()>;

    /// Removes what changed the user's balance.
    async fn remove_entries(&mut self, user: UserId, limit: u32) -> RowsResult<u64>;

    /// Removes what the ledger added up to for the user; it has nothing of theirs any more.
    async fn remove_usage_sums(&mut self, user: UserId, limit: u32) -> RowsResult<u64>;

    /// Removes how often the user used what there is beside chatting.
    async fn remove_feature_uses(&mut self, user: UserId, limit: u32) -> RowsResult<u64>;

    /// Removes the user's idempotency keys.
    async fn remove_idempotency_keys(&mut self, user: UserId, limit: u32) -> RowsResult<u64>;

    /// Removes all API keys of the user, of whom there are few.
    async fn remove_api_keys(&mut self, user: UserId) -> RowsResult<u64>;

    /// Notes that what is held back for the user belongs to answers that come late, and removes it.
    async fn make_late(&mut self, user: UserId, id: &TombstoneId, now: DateTime<Utc>) -> RowsResult<u64>;

    /// The prices that this answer of an erased user was begun at, if it was expected; it is not, from now on.
    async fn take_late(&mut self, stream: StreamId, id: &TombstoneId) -> RowsResult<Option<TokenPrices>>;

    /// Forgets late answers that nobody has brought since then.
    async fn forget_late(&mut self, before: DateTime<Utc>) -> RowsResult<()>;

    /// Removes the account.
    async fn remove_account(&mut self, user: UserId) -> RowsResult<()>;

    /// Removes the row of the user.
    async fn remove_user(&mut self, user: UserId) -> RowsResult<()>;
}
