//! The SQL database that this installation owns: SQLite.
//!
//! It implements what other services ask for (`ConversationStore`, `GenerationRecords`, `UsageLedger`,
//! `OutboxRecords`): their traits live with them, the SQL lives here. A second database is a second folder
//! beside [`sqlite`], with its own static SQL and its own migrations, behind the same traits.

pub mod sqlite;

use std::sync::Arc;

/// Why the database could not do something that it should have been able to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SqlError {
    /// The database refused or failed.
    #[error("the database failed: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    /// A row holds what this version cannot read.
    #[error("a stored value cannot be read: {0}")]
    Corrupt(String),
    /// Too many writes are waiting.
    #[error("too many writes are waiting")]
    QueueFull,
    /// The service is shutting down.
    #[error("the database is closed")]
    Closed,
}

impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}
