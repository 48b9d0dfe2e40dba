//! Why nothing is held back, and so no model asked.

use std::sync::Arc;
use std::time::Duration;

use super::account::Insufficient;
use crate::utils::database::DatabaseError;
use crate::utils::errors::{ApiError, ErrorCode};

/// Why a user may not have an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account is suspended.
    #[error("the account is suspended")]
    Suspended,
    /// There is not enough left.
    #[error(transparent)]
    Insufficient(#[from] Insufficient),
    /// The user has a budget, and nobody knows what the model costs.
    #[error("the model {0} has no price")]
    Unpriced(Arc<str>),
    /// The user has a budget, and nobody knows what a request with this field costs at worst.
    #[error("the cost of a request with {0} has no bound")]
    Unbounded(&'static str),
}

/// Why nothing is held back.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The user may not have the answer.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A failing database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Why an account was not changed as asked.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A credit for somebody who has no budget to be added to.
    #[error("the account has no budget that something could be added to")]
    NoBudget,
    /// The amount does not fit.
    #[error("the budget would be out of range")]
    OutOfRange,
    /// A failing database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Suspended => Self::new(ErrorCode::AccountSuspended, "This account is suspended."),
            Refusal::Insufficient(Insufficient { available, required }) => Self::new(
                ErrorCode::InsufficientBalance,
                format!("There is not enough left: {available} dollars, and {required} are needed."),
            )
            .with_detail("available_balance", available)
            .with_detail("required", required),
            Refusal::Unpriced(model) => Self::new(
                ErrorCode::UnpricedModel,
                format!(
                    "Nobody knows what the model `{model}` costs, so accounts with a budget cannot use it."
                ),
            )
            .with_param("model"),
            Refusal::Unbounded(field) => Self::new(
                ErrorCode::UnpricedModel,
                format!("What a request with `{field}` costs cannot be told beforehand, so accounts with a budget cannot use it."),
            )
            .with_param(field),
        }
    }
}

impl From<HoldError> for ApiError {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Refused(refusal) => refusal.into(),
            HoldError::Database(error) => unavailable(error),
        }
    }
}

/// What a user is told of a database that failed.
pub(super) fn unavailable(error: DatabaseError) -> ApiError {
    if !error.is_outage() {
        return ApiError::internal(error);
    }
    ApiError::new(
        ErrorCode::StoreUnavailable,
        "The accounts cannot be looked at. Try again shortly.",
    )
    .with_retry_after(Duration::from_secs(1))
    .with_source(error)
}
