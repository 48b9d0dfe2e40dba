//! What is kept of a user, row by row.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::RowsResult;
use crate::models::balance::BalanceEntry;
use crate::models::ids::{ConversationId, StreamId, UserId};
use crate::models::privacy::{ExportedUsage, ExportedUses};
use crate::services::privacy::UsagePlace;

/// What is kept of a user: pages after a place, in an order in which nothing moves.
#[async_trait]
pub trait UserDataRows {
    /// Changes of the balance, each with its number.
    async fn entries_after(
        &mut self,
        user: UserId,
        after: i64,
        limit: u32,
    ) -> RowsResult<Vec<(i64, BalanceEntry)>>;

    /// Events of the ledger.
    async fn usage_after(
        &mut self,
        user: UserId,
        after: Option<UsagePlace>,
        limit: u32,
    ) -> RowsResult<Vec<ExportedUsage>>;

    /// How often something was done beside chatting.
    async fn uses_after(
        &mut self,
        user: UserId,
        after: Option<(NaiveDate, &str)>,
        limit: u32,
    ) -> RowsResult<Vec<ExportedUses>>;

    /// Conversations, in the order in which they were made.
    async fn conversations_after(
        &mut self,
        user: UserId,
        after: Option<(DateTime<Utc>, ConversationId)>,
        limit: u32,
    ) -> RowsResult<Vec<(DateTime<Utc>, ConversationId)>>;

    /// Answers for which something is held back.
    async fn open_answers(&mut self, user: UserId) -> RowsResult<Vec<StreamId>>;
}
