//! What a token claims, and whether that makes its bearer a user of this service.

use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;

use crate::models::ids::UserId;

use super::{AuthError, Caller};

/// How far the clocks of the signer and of this machine may differ, in seconds.
const LEEWAY_SECONDS: f64 = 30.0;

/// Longest address that is kept (RFC 5321's limit).
const MAX_EMAIL_LENGTH: usize = 254;

/// Roles of Supabase keys that stand for no user.
const ROLES_WITHOUT_USER: [&str; 2] = ["anon", "service_role"];

/// The claims that are read. Absent is told apart from ill-typed: the latter does not deserialise.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    sub: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    aud: Option<Audience>,
    iss: Option<String>,
    role: Option<String>,
    email: Option<String>,
}

/// `aud`: one audience or several (RFC 7519 §4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }
}

/// What the configuration asks of a token.
#[derive(Debug, Clone)]
pub(super) struct Expectations {
    pub(super) audience: String,
    pub(super) issuer: Option<String>,
}

/// Who a token speaks for, and how long.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    pub(super) caller: Caller,
    expires_at: f64,
}

impl Verified {
    /// Whether the token may still be used at this time (seconds since 1970).
    pub(super) fn is_current(&self, now: f64) -> bool {
        now < self.expires_at + LEEWAY_SECONDS
    }
}

impl Claims {
    /// Checks the claims of a token whose signature was found to be right.
    pub(super) fn verify(self, expected: &Expectations, now: f64) -> Result<Verified, AuthError> {
        let expires_at = self.exp.ok_or(AuthError::InvalidClaims("`exp` is missing"))?;
        if now >= expires_at + LEEWAY_SECONDS {
            return Err(AuthError::Expired);
        }
        if self.nbf.is_some_and(|from| from > now + LEEWAY_SECONDS) {
            return Err(AuthError::InvalidClaims("`nbf` lies in the future"));
        }
        if !self
            .aud
            .is_some_and(|audience| audience.contains(&expected.audience))
        {
            return Err(AuthError::InvalidClaims("`aud` is not this service"));
        }
        if expected.issuer.is_some() && self.iss != expected.issuer {
            return Err(AuthError::InvalidClaims("`iss` is not the configured issuer"));
        }
        if self
            .role
            .is_some_and(|role| ROLES_WITHOUT_USER.contains(&role.as_str()))
        {
            return Err(AuthError::InvalidClaims("`role` is not that of a user"));
        }
        let user = self
            .sub
            .and_then(|sub| Uuid::try_parse(&sub).ok())
            .ok_or(AuthError::InvalidClaims("`sub` is not a user id"))?;
        let email = self
            .email
            .filter(|email| !email.is_empty() && email.len() <= MAX_EMAIL_LENGTH)
            .map(Arc::from);
        Ok(Verified {
            caller: Caller::signed_in(UserId(user), email),
            expires_at,
        })
    }
}
