//! Why a database could not do what it was asked, in a form that every layer may pass on.

use std::error::Error;
use std::sync::Arc;

use sqlx::error::ErrorKind;
use sqlx::postgres::PgDatabaseError;

/// Why the database could not do something that it should have been able to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// The database refused or failed.
    #[error("the database failed: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    /// A row holds what this version cannot read.
    #[error("a stored {what} cannot be read: {cause}")]
    Corrupt {
        /// What it should have been.
        what: &'static str,
        /// Why it is not.
        #[source]
        cause: Arc<dyn Error + Send + Sync>,
    },
    /// A value cannot be stored as JSON.
    #[error("a value cannot be written as JSON: {0}")]
    Encode(#[source] Arc<serde_json::Error>),
    /// There is a fault in the work of a write, which was undone.
    #[error("a write panicked")]
    Panicked,
    /// Too many writes are waiting.
    #[error("too many writes are waiting")]
    QueueFull,
    /// It did not answer in time; whether it did what it was asked is unknown.
    #[error("the database did not answer in time")]
    TimedOut,
    /// The service is shutting down.
    #[error("the database is closed")]
    Closed,
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::corrupt("row", error),
            _ => Self::Database(Arc::new(error)),
        }
    }
}

impl DatabaseError {
    /// A stored value that cannot be read, and why.
    #[must_use]
    pub fn corrupt(what: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Corrupt {
            what,
            cause: Arc::from(cause.into()),
        }
    }

    /// A value that cannot be stored as JSON.
    #[must_use]
    pub fn encode(error: serde_json::Error) -> Self {
        Self::Encode(Arc::new(error))
    }

    /// Whether the database does not answer (or not in time, or not now), rather than refuse this.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Database(error) => error.as_database_error().is_none_or(is_passing),
            Self::QueueFull | Self::TimedOut | Self::Closed => true,
            Self::Corrupt { .. } | Self::Encode(_) | Self::Panicked => false,
        }
    }

    /// What it is in words that can be kept and shown: what databases and parsers say may quote a value.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Database(error) => match error.as_database_error().and_then(|error| error.code()) {
                Some(code) => format!("the database refused it, code {code}"),
                None => "the database does not answer".to_owned(),
            },
            Self::Corrupt { what, .. } => format!("a stored {what} cannot be read"),
            Self::Encode(_) => "a value cannot be written as JSON".to_owned(),
            Self::Panicked | Self::QueueFull | Self::TimedOut | Self::Closed => self.to_string(),
        }
    }
}

/// Whether the same may succeed later. A constraint that is broken will be broken again.
fn is_passing(error: &(dyn sqlx::error::DatabaseError + 'static)) -> bool {
    match error.try_downcast_ref::<PgDatabaseError>() {
        Some(error) => is_passing_state(error.code()),
        None => matches!(error.kind(), ErrorKind::Other),
    }
}

/// The same for what PostgreSQL calls an error, by its SQLSTATE: a lost connection, a transaction that lost against
/// another (a deadlock), too few resources (connections, memory, disk), a lock not given in time, an operator's
/// intervention (a shutdown, a statement that took too long), a failing system, a server that became a replica.
fn is_passing_state(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "40" | "53" | "57" | "58")) || matches!(code, "55P03" | "25006")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_passes() {
        for (code, passes) in [
            ("08006", true),
            ("25006", true),
            ("40001", true),
            ("40P01", true),
            ("53300", true),
            ("55P03", true),
            ("57014", true),
            ("57P01", true),
            ("58030", true),
            ("22008", false),
            ("23503", false),
            ("23505", false),
            ("42703", false),
            ("54001", false),
            ("", false),
        ] {
            assert_eq!(is_passing_state(code), passes, "{code}");
        }
        assert!(DatabaseError::from(sqlx::Error::PoolTimedOut).is_outage());
        assert!(!DatabaseError::corrupt("name", "no name").is_outage());
    }

    #[test]
    fn sums_up_without_quoting() {
        let quoting = DatabaseError::corrupt("name", "unknown: a secret");
        assert!(quoting.to_string().contains("a secret"));
        assert_eq!(quoting.summary(), "a stored name cannot be read");
        let lost = DatabaseError::from(sqlx::Error::PoolTimedOut);
        assert_eq!(lost.summary(), "the database does not answer");
    }
}
