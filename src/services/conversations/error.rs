//! Why a store did not do what it was asked.

use std::time::Duration;

use crate::models::ids::StreamId;
use crate::services::billing::{HoldError, Refusal};
use crate::utils::database::DatabaseError;
use crate::utils::errors::{ApiError, ErrorCode};

/// Why a store did not do what it was asked. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such conversation, or it is someone else's.
    #[error("the conversation does not exist")]
    ConversationNotFound,
    /// There is no such branch in the conversation.
    #[error("the branch does not exist")]
    BranchNotFound,
    /// There is no such message in the conversation.
    #[error("the message does not exist")]
    MessageNotFound,
    /// It does not fit what is there; the message says why.
    #[error("{0}")]
    Conflict(&'static str),
    /// The active branch cannot be deleted.
    #[error("the branch is active")]
    BranchIsActive,
    /// The main branch cannot be deleted.
    #[error("the branch is the main one")]
    BranchIsMain,
    /// There may be no more of them.
    #[error("there may be no more than {limit} {what}")]
    LimitReached {
        /// Of what, in the plural.
        what: &'static str,
        /// How many there may be.
        limit: u32,
        /// How many there are.
        current: u64,
    },
    /// An answer to the same place is being written.
    #[error("an answer is being written there")]
    GenerationInProgress {
        /// Its stream.
        stream_id: StreamId,
    },
    /// The same request, by its idempotency key, was done before.
    #[error("the request was done before")]
    Repeated {
        /// The stream that answers it.
        stream_id: StreamId,
    },
    /// Another request had this idempotency key.
    #[error("the idempotency key was used for another request")]
    IdempotencyConflict,
    /// The tool results do not answer the parent's calls.
    #[error("{0}")]
    InvalidToolResults(String),
    /// The user may not have an answer.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store does not answer, or refuses for reasons of its own.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<HoldError> for StoreError {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Refused(refusal) => Self::Refused(refusal),
            HoldError::Database(error) => Self::Database(error),
        }
    }
}

impl StoreError {
    /// Whether the store does not answer, rather than refuse this.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_outage())
    }

    /// What it is in words that can be kept and shown: nothing that was to be stored is quoted.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::InvalidToolResults(_) => "the tool results do not answer the calls".to_owned(),
            Self::Database(error) => error.summary(),
            _ => self.to_string(),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ConversationNotFound => Self::new(
                ErrorCode::ConversationNotFound,
                "The conversation does not exist.",
            ),
            StoreError::BranchNotFound => Self::new(ErrorCode::BranchNotFound, "The branch does not exist."),
            StoreError::MessageNotFound => {
                Self::new(ErrorCode::MessageNotFound, "The message does not exist.")
            }
            StoreError::Conflict(message) => Self::new(ErrorCode::Conflict, message),
            StoreError::BranchIsActive => Self::new(
                ErrorCode::BranchIsActive,
                "The active branch cannot be deleted. Activate another one first.",
            ),
            StoreError::BranchIsMain => {
                Self::new(ErrorCode::BranchIsMain, "The main branch cannot be deleted.")
            }
            StoreError::LimitReached { what, limit, current } => Self::new(
                ErrorCode::LimitReached,
                format!("There may be no more than {limit} {what}."),
            )
            .with_detail("limit", limit)
            .with_detail("current", current),
            StoreError::GenerationInProgress { stream_id } => Self::new(
                ErrorCode::GenerationInProgress,
                "An answer is being written there. Wait for it, or cancel it.",
            )
            .with_detail("stream_id", stream_id.to_string()),
            StoreError::Repeated { stream_id } => {
                Self::new(ErrorCode::Conflict, "This request was done before.")
                    .with_detail("stream_id", stream_id.to_string())
            }
            StoreError::IdempotencyConflict => Self::new(
                ErrorCode::IdempotencyConflict,
                "This Idempotency-Key was used for a request with another body.",
            ),
            StoreError::InvalidToolResults(message) => Self::invalid_field("tool_results", message),
            StoreError::Refused(refusal) => refusal.into(),
            StoreError::Database(error) if !error.is_outage() => Self::internal(error),
            StoreError::Database(error) => Self::new(
                ErrorCode::StoreUnavailable,
                "The conversation store does not answer. Try again shortly.",
            )
            .with_retry_after(Duration::from_secs(1))
            .with_source(error),
        }
    }
}
