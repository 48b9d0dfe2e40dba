//! Checks access tokens, and remembers those it has checked.
//!
//! The algorithm is the configuration's choice: a token whose header names any other is refused before its
//! signature is looked at. Claims are checked here rather than by the token library, against the clock that
//! was given.

use std::time::Duration;

use aws_lc_rs::digest;
use jsonwebtoken::{DecodingKey, Validation, decode};
use moka::sync::Cache;
use prometheus::IntCounter;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use crate::config::{SecretBytes, SecuritySettings};
use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;

use super::claims::{Claims, Expectations, Verified};
use super::{AuthError, Caller};

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A remembered token is dropped after this long, whatever its `exp`, so that memory follows use.
const CACHED_FOR: Duration = Duration::from_secs(3600);

/// SHA-256 of a token.
type TokenHash = [u8; 32];

/// Turns access tokens into callers.
pub struct Authenticator {
    key: DecodingKey,
    validation: Validation,
    expected: Expectations,
    clock: Clock,
    verified: Cache<TokenHash, Verified>,
    hits: IntCounter,
    misses: IntCounter,
}

impl Authenticator {
    /// An authenticator for tokens signed with this secret, which remembers so many of them.
    #[must_use]
    pub fn new(
        settings: &SecuritySettings,
        cached_tokens: u64,
        secret: &SecretBytes,
        metrics: &Metrics,
        clock: Clock,
    ) -> Self {
        let lookups = |result| {
            metrics
                .cache_operations
                .with_label_values(&["get", "claims", "memory", result])
        };
        Self {
            key: DecodingKey::from_secret(secret.expose_secret()),
            validation: signature_only(settings),
            expected: Expectations {
                audience: settings.jwt_audience.clone(),
                issuer: settings.jwt_issuer.clone(),
            },
            clock,
            verified: Cache::builder()
                .max_capacity(cached_tokens)
                .time_to_live(CACHED_FOR)
                .build(),
            hits: lookups("hit"),
            misses: lookups("miss"),
        }
    }

    /// Who a token speaks for.
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`], [`AuthError::Expired`] or [`AuthError::InvalidClaims`].
    pub fn authenticate(&self, token: &str) -> Result<Caller, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::InvalidToken);
        }
        let hash = hash(token)?;
        let now = self.now();
        if let Some(verified) = self.verified.get(&hash) {
            self.hits.inc();
            if verified.is_current(now) {
                return Ok(verified.caller);
            }
            self.verified.invalidate(&hash);
            return Err(AuthError::Expired);
        }
        self.misses.inc();
        let verified = self.verify(token, now)?;
        let caller = verified.caller.clone();
        self.verified.insert(hash, verified);
        Ok(caller)
    }

    /// How many verified tokens are remembered, about.
    #[must_use]
    pub fn cached_tokens(&self) -> u64 {
        self.verified.entry_count()
    }

    fn verify(&self, token: &str, now: f64) -> Result<Verified, AuthError> {
        let token =
            decode::<Value>(token, &self.key, &self.validation).map_err(|_| AuthError::InvalidToken)?;
        // RFC 7515 §4.1.11: what a token declares critical and we do not understand makes it invalid.
        if token.header.crit.is_some() {
            return Err(AuthError::InvalidToken);
        }
        let claims = Claims::deserialize(token.claims)
            .map_err(|_| AuthError::InvalidClaims("one has a wrong type"))?;
        claims.verify(&self.expected, now)
    }

    /// Seconds since 1970.
    fn now(&self) -> f64 {
        self.clock.now().timestamp_millis() as f64 / 1000.0
    }
}

/// Lets the token library check algorithm and signature, and nothing else.
fn signature_only(settings: &SecuritySettings) -> Validation {
    let mut validation = Validation::default();
    validation.algorithms.clone_from(&settings.jwt_algorithms);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn hash(token: &str) -> Result<TokenHash, AuthError> {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    digest.as_ref().try_into().map_err(|_| AuthError::InvalidToken)
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
