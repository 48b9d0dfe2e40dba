//! Where everything about a user is kept: read whole, and removed.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use crate::models::balance::BalanceEntry;
use crate::models::ids::{ConversationId, StreamId, UserId};
use crate::models::privacy::{ErasedCounts, ExportedUsage, ExportedUses};
use crate::utils::database::DatabaseError;

/// A piece of an erasure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasureStep {
    /// What it erased.
    pub erased: ErasedCounts,
    /// Whether nothing is left but the tombstone.
    pub is_over: bool,
}

/// A place in the ledger of a user: when an event was entered, its stream, and which attempt it was.
pub type UsagePlace = (DateTime<Utc>, StreamId, u64);

/// Everything that the database keeps about a user. Pages go on after a place, in an order in which nothing moves;
/// what is written meanwhile may be on them or not.
#[async_trait]
pub trait UserData: Send + Sync + 'static {
    /// Changes of the user's balance after the one of this number, the oldest first, each with its number.
    ///
    /// # Errors
    /// A failing database.
    async fn balance_entries(
        &self,
        user: UserId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, BalanceEntry)>, DatabaseError>;

    /// Events of the ledger after a place, the oldest first.
    ///
    /// # Errors
    /// A failing database.
    async fn usage(
        &self,
        user: UserId,
        after: Option<UsagePlace>,
        limit: u32,
    ) -> Result<Vec<ExportedUsage>, DatabaseError>;

    /// How often something was done beside chatting, after this kind on this day, by day.
    ///
    /// # Errors
    /// A failing database.
    async fn feature_uses(
        &self,
        user: UserId,
        after: Option<(NaiveDate, &str)>,
        limit: u32,
    ) -> Result<Vec<ExportedUses>, DatabaseError>;

    /// Conversations made after that one, the oldest first, each with the time when it was made.
    ///
    /// # Errors
    /// A failing database.
    async fn conversations(
        &self,
        user: UserId,
        after: Option<(DateTime<Utc>, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<(DateTime<Utc>, ConversationId)>, DatabaseError>;

    /// Removes all API keys of the user, and tells how many these were.
    ///
    /// # Errors
    /// A failing database.
    async fn erase_api_keys(&self, user: UserId) -> Result<u64, DatabaseError>;

    /// Answers for which something is held back.
    ///
    /// # Errors
    /// A failing database.
    async fn open_answers(&self, user: UserId) -> Result<Vec<StreamId>, DatabaseError>;

    /// Erases the next piece of a user, in a transaction of bounded size: a conversation, or a number of rows; with the last
    /// one the account, of which a tombstone is left. To be repeated until it is over, and safe to be repeated then.
    ///
    /// # Errors
    /// A failing database; nothing has changed then.
    async fn erase_some(&self, user: UserId) -> Result<ErasureStep, DatabaseError>;

    /// Overwrites what files may still hold of users who were erased, in steps that hold up nobody. What a database server
    /// keeps is its own affair.
    ///
    /// # Errors
    /// A failing database; what was not overwritten then is the next time.
    async fn scrub(&self) -> Result<(), DatabaseError>;
}
