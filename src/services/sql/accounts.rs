//! Accounts and the ledger in a SQL database: [`AccountRecords`] and [`UsageLedger`].

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::database::SqlDatabase;
use super::operations::{self, Environment};
use super::rows::{AccountRows as _, ErasureRows as _};
use crate::models::balance::BalanceEntry;
use crate::models::common::Page;
use crate::models::ids::{StreamId, UserId};
use crate::models::money::Money;
use crate::services::billing::{
    Account, AccountChange, AccountError, AccountRecords, Hold, HoldError, Orphan, Reservation, UsageEvent,
    UsageLedger, UsageTotal,
};
use crate::services::conversations::StoreLimits;
use crate::services::privacy::TombstoneId;
use crate::utils::database::DatabaseError;

/// Orphans that are looked at at once.
const ORPHANS: u32 = 200;

/// The accounts of a SQL database.
#[derive(Debug, Clone)]
pub struct SqlAccounts<D> {
    database: D,
    environment: Environment,
}

impl<D: SqlDatabase> SqlAccounts<D> {
    /// Accounts within limits.
    #[must_use]
    pub fn new(database: D, limits: StoreLimits) -> Self {
        Self {
            environment: Environment::of(&database, limits),
            database,
        }
    }
}

#[async_trait]
impl<D: SqlDatabase> UsageLedger for SqlAccounts<D> {
    async fn record(&self, event: UsageEvent) -> Result<(), DatabaseError> {
        let environment = self.environment.clone();
        self.database
            .write(move |rows| Box::pin(async move { operations::settle(rows, &environment, &event).await }))
            .await
    }
}

#[async_trait]
impl<D: SqlDatabase> AccountRecords for SqlAccounts<D> {
    async fn hold(&self, reservation: Reservation) -> Result<Hold, HoldError> {
        let environment = self.environment.clone();
        self.database
            .write(move |rows| {
                Box::pin(async move { operations::hold(rows, &environment, &reservation).await })
            })
            .await
    }

    async fn account(&self, user: UserId) -> Result<Account, DatabaseError> {
        if let Some(account) = self.database.snapshot().await?.account(user).await? {
            return Ok(account);
        }
        let environment = self.environment.clone();
        self.database
            .write(move |rows| {
                Box::pin(async move { operations::lock_account(rows, &environment, user).await })
            })
            .await
    }

    async fn is_suspended(&self, user: UserId) -> Result<bool, DatabaseError> {
        let mut rows = self.database.snapshot().await?;
        if let Some(account) = rows.account(user).await? {
            return Ok(account.is_suspended);
        }
        // Whoever was erased while suspended comes back suspended.
        let left = rows.tombstone(&TombstoneId::of(user)).await?;
        Ok(left.is_some_and(|left| left.is_suspended))
    }

    async fn spent_since(&self, user: UserId, since: DateTime<Utc>) -> Result<Money, DatabaseError> {
        self.database.snapshot().await?.spent_since(user, since).await
    }

    async fn history(&self, user: UserId, page: Page) -> Result<(Vec<BalanceEntry>, u64), DatabaseError> {
        self.database.snapshot().await?.entries(user, page).await
    }

    async fn change(&self, user: UserId, change: AccountChange) -> Result<Account, AccountError> {
        let environment = self.environment.clone();
        self.database
            .write(move |rows| {
                Box::pin(async move { operations::change_account(rows, &environment, user, change).await })
            })
            .await
    }

    async fn orphans_here(
        &self,
        before: DateTime<Utc>,
        known: &[StreamId],
    ) -> Result<Vec<Orphan>, DatabaseError> {
        let mut rows = self.database.snapshot().await?;
        rows.orphans_here(self.environment.instance, before, known, ORPHANS)
            .await
    }

    async fn orphans_of_others(&self, silence: Duration) -> Result<Vec<Orphan>, DatabaseError> {
        let mut rows = self.database.snapshot().await?;
        rows.orphans_of_others(self.environment.instance, silence, ORPHANS)
            .await
    }

    async fn open_reservations(&self) -> Result<u64, DatabaseError> {
        self.database.snapshot().await?.count_reservations().await
    }

    async fn usage_totals(&self, since: DateTime<Utc>) -> Result<Vec<UsageTotal>, DatabaseError> {
        self.database.snapshot().await?.usage_totals(since).await
    }
}
