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
}

/// Why an account was not changed as asked.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// The user may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
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

impl From<sqlx::Error> for BillingError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
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
        }
    }
}

impl From<BillingError> for ApiError {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Refused(refusal) => refusal.into(),
            BillingError::NoBudget | BillingError::OutOfRange => {
                Self::new(ErrorCode::Conflict, error.to_string())
            }
            BillingError::Database(error) if !error.is_outage() => Self::internal(error),
            BillingError::Database(error) => Self::new(
                ErrorCode::StoreUnavailable,
                "The accounts cannot be looked at. Try again shortly.",
            )
            .with_retry_after(Duration::from_secs(1))
            .with_source(error),
        }
    }
}
