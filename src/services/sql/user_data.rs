//! Everything that is kept about a user in a SQL database: [`UserData`].

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::database::SqlDatabase;
use super::operations::{self, Environment};
use super::rows::UserDataRows as _;
use crate::models::balance::BalanceEntry;
use crate::models::ids::{ConversationId, StreamId, UserId};
use crate::models::privacy::{ExportedUsage, ExportedUses};
use crate::services::conversations::StoreLimits;
use crate::services::privacy::{ErasureStep, UsagePlace, UserData};
use crate::utils::database::DatabaseError;

/// What a SQL database keeps about users.
#[derive(Debug, Clone)]
pub struct SqlUserData<D> {
    database: D,
    environment: Environment,
}

impl<D: SqlDatabase> SqlUserData<D> {
    /// What this database keeps. The limits are those of new accounts.
    #[must_use]
    pub fn new(database: D, limits: StoreLimits) -> Self {
        Self {
            environment: Environment::of(&database, limits),
            database,
        }
    }
}

#[async_trait]
impl<D: SqlDatabase> UserData for SqlUserData<D> {
    async fn balance_entries(
        &self,
        user: UserId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, BalanceEntry)>, DatabaseError> {
        let mut rows = self.database.snapshot().await?;
        rows.entries_after(user, after, limit).await
    }

    async fn usage(
        &self,
        user: UserId,
        after: Option<UsagePlace>,
        limit: u32,
    ) -> Result<Vec<ExportedUsage>, DatabaseError> {
        let mut rows = self.database.snapshot().await?;
        rows.usage_after(user, after, limit).await
    }

    async fn feature_uses(
        &self,
        user: UserId,
        after: Option<(NaiveDate, &str)>,
        limit: u32,
    ) -> Result<Vec<ExportedUses>, DatabaseError> {
        let mut rows = self.database.snapshot().await?;
        rows.uses_after(user, after, limit).await
    }

    async fn conversations(
        &self,
        user: UserId,
        after: Option<(DateTime<Utc>, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<(DateTime<Utc>, ConversationId)>, DatabaseError> {
        let mut rows = self.database.snapshot().await?;
        rows.conversations_after(user, after, limit).await
    }

    async fn erase_api_keys(&self, user: UserId) -> Result<u64, DatabaseError> {
        self.database
            .write(move |rows| Box::pin(async move { rows.remove_api_keys(user).await }))
            .await
    }

    async fn open_answers(&self, user: UserId) -> Result<Vec<StreamId>, DatabaseError> {
        self.database.snapshot().await?.open_answers(user).await
    }

    async fn erase_some(&self, user: UserId) -> Result<ErasureStep, DatabaseError> {
        let environment = self.environment.clone();
        self.database
            .write(move |rows| {
                Box::pin(async move { operations::erase_some(rows, &environment, user).await })
            })
            .await
    }

    async fn scrub(&self) -> Result<(), DatabaseError> {
        self.database.scrub().await
    }
}
