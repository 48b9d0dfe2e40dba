//! Why a database could not do what it was asked, in a form that every layer may pass on.

use std::sync::Arc;

/// Why the database could not do something that it should have been able to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
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

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}
