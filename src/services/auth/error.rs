//! Why a caller is not let in.

use crate::models::scope::Scope;
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
    /// Not an API key of ours: malformed, unknown, or with a wrong secret.
    #[error("the API key is not valid")]
    InvalidApiKey,
    /// The API key was valid once.
    #[error("the API key has expired")]
    ApiKeyExpired,
    /// Its owner has revoked the API key, or switched it off.
    #[error("the API key is revoked or inactive")]
    ApiKeyRevoked,
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::MissingHeader => Self::new(
                ErrorCode::MissingAuthHeader,
                "Sign in: send `Authorization: Bearer <token or API key>`.",
            ),
            AuthError::InvalidFormat => Self::new(
                ErrorCode::InvalidAuthFormat,
                "The Authorization header must be `Bearer <token or API key>`, and each header is sent once.",
            ),
            AuthError::InvalidToken => Self::new(ErrorCode::InvalidToken, "The token is not valid."),
            AuthError::Expired => Self::new(ErrorCode::TokenExpired, "The token has expired."),
            AuthError::InvalidClaims(claim) => Self::new(
                ErrorCode::InvalidClaims,
                format!("The token's claims are not valid: {claim}."),
            ),
            AuthError::InvalidApiKey => Self::new(ErrorCode::InvalidApiKey, "The API key is not valid."),
            AuthError::ApiKeyExpired => Self::new(ErrorCode::ApiKeyExpired, "The API key has expired."),
            AuthError::ApiKeyRevoked => Self::new(
                ErrorCode::ApiKeyRevoked,
                "The API key has been revoked or switched off.",
            ),
        }
    }
}

/// Why a request has no caller.
#[derive(Debug, thiserror::Error)]
pub enum AuthFailure {
    /// Its credentials are not good.
    #[error(transparent)]
    Refused(#[from] AuthError),
    /// Whether they are good cannot be told, or does not matter.
    #[error(transparent)]
    Undecided(#[from] ApiError),
}

/// The caller is known, and may not do this with these credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The API key does not have the scope that is needed.
    #[error("the scope {0} is missing")]
    MissingScope(Scope),
    /// No API key may do this, whatever its scopes.
    #[error("no API key may do this")]
    NotWithApiKeys,
}

impl Forbidden {
    /// The scope that is needed, where having it would help.
    #[must_use]
    pub const fn required_scope(self) -> Option<Scope> {
        match self {
            Self::MissingScope(scope) => Some(scope),
            Self::NotWithApiKeys => None,
        }
    }
}

impl From<Forbidden> for ApiError {
    fn from(forbidden: Forbidden) -> Self {
        let message = match forbidden {
            Forbidden::MissingScope(scope) => format!("The API key does not have the scope `{scope}`."),
            Forbidden::NotWithApiKeys => {
                "This cannot be done with an API key: sign in with an access token.".to_owned()
            }
        };
        let required = forbidden.required_scope().map(Scope::as_str);
        Self::new(ErrorCode::InsufficientScope, message).with_detail("required_scope", required)
    }
}
