//! Erasing everything about a user.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::UserData;
use crate::models::ids::{StreamId, UserId};
use crate::models::privacy::ErasedCounts;
use crate::services::cache::{Area, Cache};
use crate::services::conversations::StoreError;
use crate::services::outbox::Outbox;
use crate::services::redis::Redis;
use crate::utils::database::DatabaseError;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::metrics::Metrics;

/// How long instances may still let a key through that is not there any more.
const KEYS_REMEMBERED: Duration = Duration::from_secs(5);

/// How often the end may be put off because something was written meanwhile.
const MAX_RETRIES: u32 = 100;

/// The answers of users, wherever they are written.
#[async_trait]
pub trait UserAnswers: Send + Sync + 'static {
    /// Stops the answers of a user, those that are known here and those for which something is held back, and waits a
    /// while until they are stored. One that takes longer goes on alone.
    async fn stop_all(&self, user: UserId, held: Vec<StreamId>);

    /// Forgets the logs of answers that have ended.
    async fn forget(&self, user: UserId);
}

/// What erasing works with.
pub struct ErasureParts {
    /// Where everything is kept.
    pub data: Arc<dyn UserData>,
    /// The answers that are being written.
    pub answers: Arc<dyn UserAnswers>,
    /// What waits in this instance; a command has none.
    pub outbox: Option<Outbox>,
    /// What this instance has read; a command has nothing.
    pub cache: Option<Cache>,
    /// What all instances have there.
    pub redis: Option<Redis>,
    /// Where it runs, so that a client that goes away does not end it.
    pub tracker: TaskTracker,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// Erases users. Cheap to clone.
#[derive(Clone)]
pub struct Erasure(Arc<ErasureParts>);

impl Erasure {
    /// Erases by these parts.
    #[must_use]
    pub fn new(parts: ErasureParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Erases everything about a user, and tells how much that was. It goes on if the caller goes away; if it fails, it can
    /// be repeated.
    ///
    /// # Errors
    /// A failing database, or `CONFLICT` if the user's programs write faster than they are erased.
    pub async fn erase(&self, user: UserId) -> Result<ErasedCounts, ApiError> {
        let parts = self.0.clone();
        let job = async move { parts.erase(user).await }.in_current_span();
        match self.0.tracker.spawn(job).await {
            Ok(result) => result,
            Err(ended) if ended.is_panic() => Err(unavailable(DatabaseError::Panicked)),
            Err(_) => Err(unavailable(DatabaseError::Closed)),
        }
    }

    /// Goes on with what a process left undone that ended before it had overwritten everything.
    pub async fn finish_left(self) {
        if let Err(error) = self.0.data.scrub().await {
            tracing::warn!(%error, "the files may still hold what users wrote who were erased");
            self.0
                .metrics
                .best_effort_failures
                .with_label_values(&["scrub"])
                .inc();
        }
    }
}

impl ErasureParts {
    async fn erase(&self, user: UserId) -> Result<ErasedCounts, ApiError> {
        let mut erased = ErasedCounts {
            api_keys: self.data.erase_api_keys(user).await.map_err(unavailable)?,
            ..ErasedCounts::default()
        };
        let keys_forgotten_at = Instant::now() + KEYS_REMEMBERED;
        let held = self.data.open_answers(user).await.map_err(unavailable)?;
        self.answers.stop_all(user, held).await;
        if let Some(outbox) = &self.outbox {
            erased.outbox_entries += outbox.forget(user).await?;
        }
        if erased.api_keys > 0 {
            // Else a program with a key would bring back what has just been erased.
            tokio::time::sleep_until(keys_forgotten_at).await;
        }
        let rows = self.erase_rows(user, &mut erased).await;
        // Also after a failure: what is gone is not to be shown.
        self.forget(user).await;
        rows?;
        self.data.scrub().await.map_err(unavailable)?;
        self.metrics.user_data.with_label_values(&["erased"]).inc();
        tracing::info!(
            event = "account_erased",
            user_id = %user,
            conversations = erased.conversations,
            messages = erased.messages,
            "business_event"
        );
        Ok(erased)
    }

    async fn erase_rows(&self, user: UserId, erased: &mut ErasedCounts) -> Result<(), ApiError> {
        let mut retries = 0;
        while retries < MAX_RETRIES {
            let step = self.data.erase_some(user).await.map_err(unavailable)?;
            erased.add(&step.erased);
            if step.is_over {
                return Ok(());
            }
            retries += u32::from(step.erased == ErasedCounts::default());
        }
        Err(ApiError::new(
            ErrorCode::Conflict,
            "Something of this account is still being written. Stop that, and repeat the request.",
        ))
    }

    /// Forgets what is held beside the database.
    async fn forget(&self, user: UserId) {
        if let Some(cache) = &self.cache {
            for area in Area::ALL {
                cache.invalidate(user, area).await;
            }
        }
        self.answers.forget(user).await;
        if let Some(redis) = &self.redis
            && let Err(failure) = redis.remove_keys_of(user).await
        {
            // All of it has a time after which it is gone.
            tracing::warn!(%failure, "what Redis has of an erased user goes by itself");
            self.metrics
                .best_effort_failures
                .with_label_values(&["erase_redis"])
                .inc();
        }
    }
}

fn unavailable(error: DatabaseError) -> ApiError {
    StoreError::from(error).into()
}
