//! Why something cannot be done with an API key.

use std::time::Duration;

use super::secret::NoRandomness;
use crate::services::auth::AuthFailure;
use crate::utils::database::DatabaseError;
use crate::utils::errors::{ApiError, ErrorCode};

/// Why a user's key was not made, changed or revoked. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// There is no such key, or it is someone else's.
    #[error("the API key does not exist")]
    NotFound,
    /// There may be no more of them.
    #[error("there may be no more than {limit} API keys")]
    LimitReached {
        /// How many there may be.
        limit: u32,
        /// How many there are.
        current: u64,
    },
    /// There are no random numbers to make a key of.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The database does not answer, or refuses for reasons of its own.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl ApiKeyError {
    /// `Ok` while there may be one more key.
    ///
    /// # Errors
    /// [`Self::LimitReached`].
    pub const fn unless_below(limit: u32, current: u64) -> Result<(), Self> {
        if current < limit as u64 {
            Ok(())
        } else {
            Err(Self::LimitReached { limit, current })
        }
    }
}

impl From<sqlx::Error> for ApiKeyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<ApiKeyError> for ApiError {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::NotFound => Self::new(ErrorCode::ApiKeyNotFound, "The API key does not exist."),
            ApiKeyError::LimitReached { limit, current } => Self::new(
                ErrorCode::LimitReached,
                format!("There may be no more than {limit} API keys."),
            )
            .with_detail("limit", limit)
            .with_detail("current", current),
            ApiKeyError::NoRandomness(cause) => Self::internal(cause),
            ApiKeyError::Database(cause) => unavailable(cause),
        }
    }
}

impl From<DatabaseError> for AuthFailure {
    fn from(error: DatabaseError) -> Self {
        Self::Undecided(unavailable(error))
    }
}

fn unavailable(error: DatabaseError) -> ApiError {
    if !error.is_outage() {
        return ApiError::internal(error);
    }
    ApiError::new(
        ErrorCode::StoreUnavailable,
        "The database does not answer. Try again shortly.",
    )
    .with_retry_after(Duration::from_secs(1))
    .with_source(error)
}
