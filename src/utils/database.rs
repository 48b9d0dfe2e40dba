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

impl DatabaseError {
    /// Whether the database does not answer, rather than refuse this.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            // A constraint that is broken will be broken again.
            Self::Database(error) => error
                .as_database_error()
                .is_none_or(|error| matches!(error.kind(), sqlx::error::ErrorKind::Other)),
            Self::QueueFull | Self::Closed => true,
            Self::Corrupt(_) => false,
        }
    }
}
