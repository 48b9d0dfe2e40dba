//! PostgreSQL: the database that several connections write to at once.
//!
//! A write is a transaction of its own, in a task of its own. Two writes to one conversation wait for each other at
//! its row, two that make conversations for one user at theirs; all else runs side by side. A snapshot is a
//! repeatable read. Foreign keys and checks hold whatever the service does. Migrations are in the binary and run at
//! start, under a lock.
//!
//! A connection that died is found when it is handed out after a pause, and replaced. Whoever was using it, or was
//! using it a moment ago, is told that the database does not answer, which is true.
//!
//! - [`PostgresDatabase`]: the database; `connect` opens it
//! - [`PostgresRows`]: a transaction; its methods are in `conversations`, `branches`, `messages`, `reads`, `answers`,
//!   `accounts`, `erasure`, `user_data` and `search`; `columns` says what the records of both databases are read from
//! - `generations`, `analytics`, `outbox`, `api_keys`, `users`: what other services keep here; several instances may do so at once
//!
//! All SQL is static and bound.

mod accounts;
mod analytics;
mod answers;
mod api_keys;
mod branches;
mod columns;
mod connect;
mod conversations;
mod erasure;
mod filter;
mod generations;
mod messages;
mod outbox;
mod reads;
mod rows;
mod search;
mod texts;
mod user_data;
mod users;
mod values;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use sqlx::postgres::PgPool;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

pub use connect::OpenError;
pub use rows::PostgresRows;

use super::database::SqlDatabase;
use super::rows::Rows;
use crate::config::DatabaseSettings;
use crate::models::ids::InstanceId;
use crate::services::health::{Check, Importance};
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;

/// What health reports call this database.
const NAME: &str = "postgresql";

/// How long a write may take as a whole. The server ends what takes long there; this is for a server that vanished
/// without a word.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);

/// How long those who still use a connection at a stop may take to be done.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Each statement sees what was committed before it: after waiting for a row, what the one before left there.
const WRITING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// All statements see one state.
const READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PostgresDatabase {
    pool: PgPool,
    tracker: TaskTracker,
    clock: Clock,
    instance: InstanceId,
}

impl PostgresDatabase {
    /// Connects, and brings the schema up to date.
    ///
    /// # Errors
    /// If the server does not answer, the database is not in UTF-8, or its schema is newer than this binary knows.
    pub async fn open(
        url: &SecretString,
        settings: &DatabaseSettings,
        clock: Clock,
        instance: InstanceId,
        tracker: &TaskTracker,
    ) -> Result<Self, OpenError> {
        let server = connect::Server::new(url)?;
        server.migrate().await?;
        Ok(Self {
            pool: server.pool(settings),
            tracker: tracker.clone(),
            clock,
            instance,
        })
    }

    /// Brings the schema of a database up to date; tells which database that was, without its password.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn migrate(url: &SecretString) -> Result<String, OpenError> {
        let server = connect::Server::new(url)?;
        server.migrate().await?;
        Ok(server.to_string())
    }

    /// Connections: in use, and idle.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        let (all, idle) = (self.pool.size(), self.pool.num_idle());
        (all.saturating_sub(u32::try_from(idle).unwrap_or(all)), idle)
    }

    /// Closes the connections, waiting a while for those who use them.
    pub async fn close(&self) {
        if tokio::time::timeout(CLOSE_WITHIN, self.pool.close())
            .await
            .is_err()
        {
            tracing::warn!("connections to the database were still in use");
        }
    }
}

#[async_trait]
impl SqlDatabase for PostgresDatabase {
    type Snapshot = PostgresRows;

    fn name(&self) -> &'static str {
        NAME
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn instance(&self) -> InstanceId {
        self.instance
    }

    async fn snapshot(&self) -> Result<Self::Snapshot, DatabaseError> {
        Ok(PostgresRows::new(self.pool.begin_with(READING).await?))
    }

    async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut dyn Rows) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let job = transact(self.pool.clone(), work).in_current_span();
        match self.tracker.spawn(job).await {
            Ok(result) => result,
            Err(ended) if ended.is_panic() => Err(DatabaseError::Panicked.into()),
            Err(_) => Err(DatabaseError::Closed.into()),
        }
    }

    /// What the server keeps of removed rows goes with its vacuum.
    async fn scrub(&self) -> Result<(), DatabaseError> {
        Ok(())
    }
}

async fn transact<T, E, F>(pool: PgPool, work: F) -> Result<T, E>
where
    F: for<'t> FnOnce(&'t mut dyn Rows) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<DatabaseError> + Send,
{
    let writing = async {
        let begun = pool.begin_with(WRITING).await;
        let mut rows = PostgresRows::new(begun.map_err(DatabaseError::from)?);
        let result = work(&mut rows).await;
        // Either way it is over when the caller hears of it: nobody finds a lock of theirs still held.
        let ended = rows.end(result.is_ok()).await;
        let value = result?;
        ended.map_err(DatabaseError::from)?;
        Ok(value)
    };
    tokio::time::timeout(WRITE_TIMEOUT, writing)
        .await
        .unwrap_or_else(|_| Err(DatabaseError::TimedOut.into()))
}

/// The health check: whether a read comes back.
#[async_trait]
impl Check for PostgresDatabase {
    fn name(&self) -> &'static str {
        "store"
    }

    fn importance(&self) -> Importance {
        Importance::Essential
    }

    async fn check(&self) -> Result<Option<String>, String> {
        sqlx::query("SELECT 1")
            .execute(&self.pool)
            .await
            .map(|_| Some(NAME.to_owned()))
            .map_err(|error| {
                tracing::warn!(%error, "the database does not answer");
                "the database does not answer".to_owned()
            })
    }
}
