//! The database of this installation, whichever it is: opened, and handed out as what others ask for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::accounts::SqlAccounts;
use super::postgres::{self, PostgresDatabase};
use super::sqlite::{self, SqliteDatabase};
use super::user_data::SqlUserData;
use super::{SqlConversations, SqlDatabase};
use crate::config::{DatabaseSettings, DatabaseUrl};
use crate::models::ids::InstanceId;
use crate::services::analytics::UsageSums;
use crate::services::api_keys::ApiKeyRecords;
use crate::services::billing::{AccountRecords, UsageLedger};
use crate::services::conversations::{ConversationStore, StoreLimits};
use crate::services::generation::GenerationRecords;
use crate::services::health::Check;
use crate::services::outbox::OutboxRecords;
use crate::services::privacy::UserData;
use crate::services::users::ProfileStore;
use crate::utils::clock::Clock;
use crate::utils::file_lock::{FileLock, FileLockError};

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite file.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// Another instance serves from the SQLite file.
    #[error(transparent)]
    Lock(#[from] FileLockError),
    /// The PostgreSQL server.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
}

/// The open database. Cheap to clone.
#[derive(Debug, Clone)]
pub enum OpenDatabase {
    /// A SQLite file.
    Sqlite(SqliteDatabase),
    /// A PostgreSQL database.
    Postgres(PostgresDatabase),
}

/// Passes a call on to whichever database it is.
macro_rules! of_each {
    ($self:ident, $database:ident => $call:expr) => {
        match $self {
            Self::Sqlite($database) => $call,
            Self::Postgres($database) => $call,
        }
    };
}

impl OpenDatabase {
    /// Keeps other instances from serving from the same SQLite file, for as long as the lock lives, waiting up to `patience`
    /// for one that is about to stop. Any number serve from one PostgreSQL database. Commands do not take it.
    ///
    /// # Errors
    /// If the lock is still taken then, or cannot be taken at all.
    pub async fn lock(
        settings: &DatabaseSettings,
        patience: Duration,
    ) -> Result<Option<FileLock>, OpenError> {
        let DatabaseUrl::Sqlite(path) = &settings.url else {
            return Ok(None);
        };
        let mut path = path.clone().into_os_string();
        path.push(".lock");
        Ok(Some(
            FileLock::acquire(Path::new(&path), "this SQLite file", patience).await?,
        ))
    }

    /// Opens the database and brings its schema up to date. What it runs of its own is on the tracker.
    ///
    /// # Errors
    /// If it cannot be reached or made, is none of ours, or has a schema newer than this binary knows.
    pub async fn open(
        settings: &DatabaseSettings,
        clock: Clock,
        instance: InstanceId,
        tracker: &TaskTracker,
    ) -> Result<Self, OpenError> {
        Ok(match &settings.url {
            DatabaseUrl::Sqlite(path) => {
                Self::Sqlite(Box::pin(SqliteDatabase::open(path, settings, clock, instance, tracker)).await?)
            }
            DatabaseUrl::Postgres(url) => Self::Postgres(
                Box::pin(PostgresDatabase::open(url, settings, clock, instance, tracker)).await?,
            ),
        })
    }

    /// Brings the schema up to date, and closes the database; tells which one it was.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn migrate(settings: &DatabaseSettings) -> Result<String, OpenError> {
        match &settings.url {
            DatabaseUrl::Sqlite(path) => {
                SqliteDatabase::migrate(path, settings).await?;
                Ok(path.display().to_string())
            }
            DatabaseUrl::Postgres(url) => Ok(Box::pin(PostgresDatabase::migrate(url)).await?),
        }
    }

    /// What it is, for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        of_each!(self, database => SqlDatabase::name(database))
    }

    /// Its conversations, within limits.
    #[must_use]
    pub fn conversations(&self, limits: StoreLimits) -> Arc<dyn ConversationStore> {
        of_each!(self, database => Arc::new(SqlConversations::new(database.clone(), limits)))
    }

    /// Its running answers.
    #[must_use]
    pub fn generations(&self) -> Arc<dyn GenerationRecords> {
        of_each!(self, database => Arc::new(database.clone()))
    }

    /// Its usage ledger. The limits are those of new accounts.
    #[must_use]
    pub fn ledger(&self, limits: StoreLimits) -> Arc<dyn UsageLedger> {
        of_each!(self, database => Arc::new(SqlAccounts::new(database.clone(), limits)))
    }

    /// Its accounts. The limits are those of new ones.
    #[must_use]
    pub fn accounts(&self, limits: StoreLimits) -> Arc<dyn AccountRecords> {
        of_each!(self, database => Arc::new(SqlAccounts::new(database.clone(), limits)))
    }

    /// The sums of its usage ledger.
    #[must_use]
    pub fn usage_sums(&self) -> Arc<dyn UsageSums> {
        of_each!(self, database => Arc::new(database.clone()))
    }

    /// Its outbox.
    #[must_use]
    pub fn outbox(&self) -> Arc<dyn OutboxRecords> {
        of_each!(self, database => Arc::new(database.clone()))
    }

    /// Its API keys.
    #[must_use]
    pub fn api_keys(&self) -> Arc<dyn ApiKeyRecords> {
        of_each!(self, database => Arc::new(database.clone()))
    }

    /// What it keeps about users. The limits are those of new accounts.
    #[must_use]
    pub fn user_data(&self, limits: StoreLimits) -> Arc<dyn UserData> {
        of_each!(self, database => Arc::new(SqlUserData::new(database.clone(), limits)))
    }

    /// Its users.
    #[must_use]
    pub fn profiles(&self) -> Arc<dyn ProfileStore> {
        of_each!(self, database => Arc::new(database.clone()))
    }

    /// Its health check.
    #[must_use]
    pub fn check(&self) -> Arc<dyn Check> {
        of_each!(self, database => Arc::new(database.clone()))
    }

    /// Connections: in use, and idle. On SQLite those that read.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        of_each!(self, database => database.connections())
    }

    /// Closes the connections; on SQLite the writer ends with the last clone.
    pub async fn close(&self) {
        of_each!(self, database => database.close().await);
    }
}
