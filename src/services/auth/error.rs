//! Why a caller is not let in.

use crate::utils::errors::{ApiError, ErrorCode};

/// Why credentials were refused. It never holds any part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No credentials were sent.
    #[error("no credentials were sent")]
    MissingHeader,
    /// The header is not `Bearer` and one token.
    #[error("the Authorization header is not a bearer token")]
    InvalidFormat,
    /// Not a token of ours: malformed, too long, another algorithm, a wrong signature.
    #[error("the token is not valid")]
    InvalidToken,
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// Signed by us, but not for a user of this service. The text says which claim.
    #[error("the token's claims are not valid: {0}")]
    InvalidClaims(&'static str),
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::MissingHeader => Self::new(
                ErrorCode::MissingAuthHeader,
                "Sign in: send `Authorization: Bearer <token>`.",
            ),
            AuthError::InvalidFormat => Self::new(
                ErrorCode::InvalidAuthFormat,
                "The Authorization header must be `Bearer <token>`.",
            ),
            AuthError::InvalidToken => Self::new(ErrorCode::InvalidToken, "The token is not valid."),
            AuthError::Expired => Self::new(ErrorCode::TokenExpired, "The token has expired."),
            AuthError::InvalidClaims(claim) => Self::new(
                ErrorCode::InvalidClaims,
                format!("The token's claims are not valid: {claim}."),
            ),
        }
    }
}
