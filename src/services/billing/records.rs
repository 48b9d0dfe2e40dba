//! Where accounts are kept.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Account, AccountError, Hold, HoldError, Orphan, Reservation};
use crate::models::balance::{BalanceEntry, EntryKind};
use crate::models::common::Page;
use crate::models::ids::{MessageId, StreamId, UserId};
use crate::models::money::Money;
use crate::utils::database::DatabaseError;

/// Something that changes a balance, to be written down.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Whose balance.
    pub user_id: UserId,
    /// What it is.
    pub kind: EntryKind,
    /// How much: of a charge what is taken, of the others what is given.
    pub amount: Money,
    /// The budget without what is spent; `None` without a budget.
    pub balance_after: Option<Money>,
    /// The answer that it is for.
    pub stream_id: Option<StreamId>,
    /// Its message.
    pub message_id: Option<MessageId>,
    /// Its model.
    pub model: Option<Arc<str>>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// What an operator does to an account.
#[derive(Debug, Clone, Copy)]
pub enum AccountChange {
    /// Adds to the budget.
    Credit(Money),
    /// Replaces the budget; `None` lifts it.
    SetBudget(Option<Money>),
    /// Suspends the account, or lifts that.
    Suspend(bool),
}

/// What a user used of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageTotal {
    /// The user.
    pub user_id: UserId,
    /// The model.
    pub model: String,
    /// Answers, also those that failed.
    pub requests: u64,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// What was charged.
    pub cost: Money,
    /// Answers that used something and have no price.
    pub unpriced: u64,
}

/// Where accounts are kept. Several instances may work on them at once. An account that nobody has seen before is made with
/// the budget of new users.
#[async_trait]
pub trait AccountRecords: Send + Sync + 'static {
    /// Holds back what an answer costs at worst, or what is left where that is enough to begin it.
    ///
    /// # Errors
    /// Why the user may not have the answer, or a failing database; nothing is held back then.
    async fn hold(&self, reservation: Reservation) -> Result<Hold, HoldError>;

    /// The account of a user.
    ///
    /// # Errors
    /// A failing database.
    async fn account(&self, user: UserId) -> Result<Account, DatabaseError>;

    /// Whether the account of a user is suspended; one that nobody has seen is not.
    ///
    /// # Errors
    /// A failing database.
    async fn is_suspended(&self, user: UserId) -> Result<bool, DatabaseError>;

    /// What the user was charged since then, without what was given back.
    ///
    /// # Errors
    /// A failing database.
    async fn spent_since(&self, user: UserId, since: DateTime<Utc>) -> Result<Money, DatabaseError>;

    /// One page of what changed the user's balance, the newest first; and how many there are.
    ///
    /// # Errors
    /// A failing database.
    async fn history(&self, user: UserId, page: Page) -> Result<(Vec<BalanceEntry>, u64), DatabaseError>;

    /// Changes an account, and gives it as it is then.
    ///
    /// # Errors
    /// `NoBudget` for a credit without one, `OutOfRange`, or a failing database.
    async fn change(&self, user: UserId, change: AccountChange) -> Result<Account, AccountError>;

    /// Reservations of this instance from before then, but for those of these streams and of answers that are recorded as
    /// running or are in the outbox, dead letters included. Bounded per call.
    ///
    /// # Errors
    /// A failing database.
    async fn orphans_here(
        &self,
        before: DateTime<Utc>,
        known: &[StreamId],
    ) -> Result<Vec<Orphan>, DatabaseError>;

    /// The same of instances that said nothing for so long.
    ///
    /// # Errors
    /// A failing database.
    async fn orphans_of_others(&self, silence: Duration) -> Result<Vec<Orphan>, DatabaseError>;

    /// Open reservations, of all instances.
    ///
    /// # Errors
    /// A failing database.
    async fn open_reservations(&self) -> Result<u64, DatabaseError>;

    /// What was used since then, by user and model.
    ///
    /// # Errors
    /// A failing database.
    async fn usage_totals(&self, since: DateTime<Utc>) -> Result<Vec<UsageTotal>, DatabaseError>;
}
