//! SQLite: one file, one writer, many readers.
//!
//! The file is in WAL mode, so that readers never wait for the writer. `secure_delete` overwrites what is
//! deleted. Foreign keys are enforced. Migrations are in the binary and run at start.
//!
//! - [`SqliteDatabase`]: the file; `open` opens it, `lock` keeps a second process away
//! - [`Writer`]: the one task that writes
//! - [`SqliteRows`]: a transaction; its methods are in `conversations`, `branches`, `messages`, `reads`, `answers`,
//!   `accounts`, `erasure`, `user_data` and `search`
//! - `scrub`: overwriting what is left of erased users in the file
//! - `generations`, `analytics`, `outbox`, `api_keys`, `users`: what other services keep here
//!
//! All SQL is static, and each statement finds what it looks for by an index (a test looks at their plans).

#[macro_use]
mod statements;

mod accounts;
mod analytics;
mod answers;
mod api_keys;
mod branches;
mod conversations;
mod erasure;
mod filter;
mod generations;
mod messages;
mod open;
mod outbox;
mod pages;
mod reads;
mod rows;
mod scrub;
mod search;
#[cfg(test)]
mod tests;
mod texts;
mod user_data;
mod users;
mod values;
mod writer;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};

pub use open::OpenError;
pub use rows::SqliteRows;
pub use writer::Writer;

use self::scrub::Scrubber;

use super::database::SqlDatabase;
use super::rows::Rows;
use crate::models::ids::InstanceId;
use crate::services::health::{Check, Importance};
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;

/// What health reports call this database.
const NAME: &str = "sqlite";

/// The open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SqliteDatabase {
    readers: SqlitePool,
    writer: Writer,
    scrubber: Scrubber,
    clock: Clock,
    instance: InstanceId,
}

impl SqliteDatabase {
    /// Reading connections: in use, and idle.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        let (all, idle) = (self.readers.size(), self.readers.num_idle());
        (all.saturating_sub(u32::try_from(idle).unwrap_or(all)), idle)
    }

    /// Closes the readers; the writer ends with its last clone.
    pub async fn close(&self) {
        self.readers.close().await;
    }
}

#[async_trait]
impl SqlDatabase for SqliteDatabase {
    type Snapshot = SqliteRows<Transaction<'static, Sqlite>>;

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
        Ok(SqliteRows::new(self.readers.begin().await?))
    }

    async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut dyn Rows) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let mut rows = SqliteRows::new(connection);
                    work(&mut rows).await
                })
            })
            .await
    }

    async fn scrub(&self) -> Result<(), DatabaseError> {
        self.scrubber.run(self).await
    }
}

/// The health check: whether a read comes back, and whether there is somebody who writes.
#[async_trait]
impl Check for SqliteDatabase {
    fn name(&self) -> &'static str {
        "store"
    }

    fn importance(&self) -> Importance {
        Importance::Essential
    }

    async fn check(&self) -> Result<Option<String>, String> {
        if !self.writer.is_alive() {
            return Err("nothing can be written any more".to_owned());
        }
        sqlx::query("SELECT count(*) FROM sqlite_schema")
            .execute(&self.readers)
            .await
            .map(|_| Some(NAME.to_owned()))
            .map_err(|error| {
                tracing::warn!(%error, "the database does not answer");
                "the database does not answer".to_owned()
            })
    }
}
