//! Checks API keys, and remembers for a moment what the database says of them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::{future, sync};
use prometheus::IntCounter;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::{ApiKeyRecords, KeyRecord, KeyState, PublicId, USE_RECORDED_EVERY};
use crate::models::api_key::ApiKey;
use crate::models::ids::ApiKeyId;
use crate::services::auth::{AuthError, AuthFailure, Caller, Credential};
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::metrics::Metrics;

/// How long a record is remembered. With [`READ_WITHIN`] it stays below the five seconds within which a key that was
/// revoked at one instance is refused by all.
const REMEMBERED_FOR: Duration = Duration::from_millis(2_500);

/// How long the database may take to tell of a key.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// What recording a use is called in `best_effort_failures_total`.
const RECORD_USE: &str = "api_key_last_use";

/// What managing and verifying keys takes.
#[derive(Clone)]
pub struct ApiKeyParts {
    /// The table of keys.
    pub records: Arc<dyn ApiKeyRecords>,
    /// `ENABLE_USER_API_KEYS`.
    pub enabled: bool,
    /// How many keys are remembered at most.
    pub remembered: u64,
    /// Where uses are recorded, after their requests were let through.
    pub tracker: TaskTracker,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Time and ids.
    pub clock: Clock,
}

/// Turns API keys into callers.
pub struct ApiKeyVerifier {
    parts: ApiKeyParts,
    known: future::Cache<PublicId, Arc<KeyRecord>>,
    used: sync::Cache<ApiKeyId, ()>,
    hits: IntCounter,
    misses: IntCounter,
}

/// Why there is no record of a key.
enum NoRecord {
    /// There is no such key.
    Unknown,
    /// The database cannot tell.
    Failed(DatabaseError),
}

impl ApiKeyVerifier {
    /// A verifier that remembers nothing yet.
    pub(super) fn new(parts: ApiKeyParts) -> Self {
        let lookups = |result| {
            let operations = &parts.metrics.cache_operations;
            operations.with_label_values(&["get", "api_keys", "memory", result])
        };
        Self {
            hits: lookups("hit"),
            misses: lookups("miss"),
            known: future::Cache::builder()
                .max_capacity(parts.remembered)
                .time_to_live(REMEMBERED_FOR)
                .build(),
            used: sync::Cache::builder()
                .max_capacity(parts.remembered)
                .time_to_live(USE_RECORDED_EVERY)
                .build(),
            parts,
        }
    }

    /// Who a key speaks for. That it was used is recorded later, if at all.
    ///
    /// # Errors
    /// [`AuthFailure::Refused`] for a key that is malformed, unknown, wrong, expired, inactive or revoked;
    /// [`AuthFailure::Undecided`] if the database does not answer, or keys are switched off.
    pub async fn verify(&self, key: &str) -> Result<Caller, AuthFailure> {
        if !self.parts.enabled {
            return Err(AuthFailure::Undecided(ApiError::new(
                ErrorCode::FeatureDisabled,
                "The operator has switched API keys off (ENABLE_USER_API_KEYS).",
            )));
        }
        let verified = self.verified(key).await;
        if let Err(AuthFailure::Refused(_)) = verified {
            self.parts.metrics.api_keys.with_label_values(&["refused"]).inc();
        }
        let record = verified?;
        self.record_use(record.id);
        Ok(Caller {
            user_id: record.user_id,
            email: None,
            scopes: record.scopes,
            credential: Credential::ApiKey(record.id),
        })
    }

    /// How many keys are remembered, about.
    #[must_use]
    pub fn remembered(&self) -> u64 {
        self.known.entry_count()
    }

    /// Forgets what is remembered of a key, since it has changed.
    pub(super) async fn forget(&self, changed: &ApiKey) {
        self.known.invalidate(&PublicId::of_prefix(&changed.prefix)).await;
    }

    async fn verified(&self, key: &str) -> Result<Arc<KeyRecord>, AuthFailure> {
        let public_id = PublicId::of_key(key).ok_or(AuthError::InvalidApiKey)?;
        let record = self.record(public_id).await?;
        check(&record, key, self.parts.clock.now())?;
        Ok(record)
    }

    /// What the database says of a key, or said a moment ago. Of many who ask at once, one asks the database.
    async fn record(&self, public_id: PublicId) -> Result<Arc<KeyRecord>, AuthFailure> {
        let load = self.load(public_id.clone());
        match self.known.entry(public_id).or_try_insert_with(load).await {
            Ok(entry) => {
                if entry.is_fresh() {
                    self.misses.inc();
                } else {
                    self.hits.inc();
                }
                Ok(entry.into_value())
            }
            Err(reason) => {
                self.misses.inc();
                match &*reason {
                    NoRecord::Unknown => Err(AuthError::InvalidApiKey.into()),
                    NoRecord::Failed(error) => Err(error.clone().into()),
                }
            }
        }
    }

    async fn load(&self, public_id: PublicId) -> Result<Arc<KeyRecord>, NoRecord> {
        match tokio::time::timeout(READ_WITHIN, self.parts.records.find(&public_id)).await {
            Ok(Ok(Some(record))) => Ok(Arc::new(record)),
            Ok(Ok(None)) => Err(NoRecord::Unknown),
            Ok(Err(error)) => Err(NoRecord::Failed(error)),
            Err(_) => Err(NoRecord::Failed(DatabaseError::TimedOut)),
        }
    }

    fn record_use(&self, id: ApiKeyId) {
        if !self.used.entry(id).or_insert(()).is_fresh() {
            return;
        }
        let (records, now) = (self.parts.records.clone(), self.parts.clock.now());
        let failures = self
            .parts
            .metrics
            .best_effort_failures
            .with_label_values(&[RECORD_USE]);
        let job = async move {
            if let Err(error) = records.record_use(id, now).await {
                failures.inc();
                tracing::debug!(%error, "the use of an API key was not recorded");
            }
        };
        self.parts.tracker.spawn(job.in_current_span());
    }
}

/// Whether a key is good. What is wrong with it is told only to who has all of it.
fn check(record: &KeyRecord, key: &str, now: DateTime<Utc>) -> Result<(), AuthError> {
    if !record.hash.is_of(key) {
        return Err(AuthError::InvalidApiKey);
    }
    match record.state {
        KeyState::Inactive | KeyState::Revoked => Err(AuthError::ApiKeyRevoked),
        KeyState::Active if record.expires_at.is_some_and(|at| at <= now) => Err(AuthError::ApiKeyExpired),
        KeyState::Active => Ok(()),
    }
}

impl std::fmt::Debug for ApiKeyVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeyVerifier").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
