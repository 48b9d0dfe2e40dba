//! What users do beside chatting, counted: in the process first, and every few seconds in the database. Nobody waits for
//! it, and what cannot be written is lost, and counted as that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use tokio_util::sync::CancellationToken;

use super::UsageSums;
use crate::models::ids::UserId;
use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;

/// How often what was counted is written.
const INTERVAL: Duration = Duration::from_secs(2);

/// Counts that may wait: one for each user, feature and day.
const MAX_WAITING: usize = 10_000;

/// What losing one is called in `best_effort_failures_total`.
const OPERATION: &str = "feature_use";

/// Something that users do beside chatting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Forking a branch.
    Branch,
    /// Having an answer written anew.
    Regeneration,
    /// Editing a message.
    Edit,
    /// Merging a branch.
    Merge,
    /// Exporting a conversation.
    Export,
    /// Searching.
    Search,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Branch,
        Self::Regeneration,
        Self::Edit,
        Self::Merge,
        Self::Export,
        Self::Search,
    ];

    /// The name, as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Regeneration => "regeneration",
            Self::Edit => "edit",
            Self::Merge => "merge",
            Self::Export => "export",
            Self::Search => "search",
        }
    }
}

/// How often a user used a feature on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureCount {
    /// Who.
    pub user: UserId,
    /// The day, in UTC.
    pub day: NaiveDate,
    /// What.
    pub feature: Feature,
    /// How often.
    pub uses: u64,
}

/// Counts what users do. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct FeatureUses(Arc<Inner>);

struct Inner {
    waiting: Mutex<HashMap<(UserId, NaiveDate, Feature), u64>>,
    sums: Arc<dyn UsageSums>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl FeatureUses {
    /// Counts for these sums. [`run`](Self::run) has to run for anything to be written.
    #[must_use]
    pub fn new(sums: Arc<dyn UsageSums>, metrics: Arc<Metrics>, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            waiting: Mutex::default(),
            sums,
            metrics,
            clock,
        }))
    }

    /// Counts a use.
    pub fn count(&self, user: UserId, feature: Feature) {
        let key = (user, self.0.clock.now().date_naive(), feature);
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = waiting.len() >= MAX_WAITING;
        match waiting.get_mut(&key) {
            Some(uses) => *uses += 1,
            None if is_full => self.lost(1),
            None => {
                waiting.insert(key, 1);
            }
        }
    }

    /// Writes what is counted, until `stop` is cancelled, and once more then.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let stopped = tokio::time::timeout(INTERVAL, stop.cancelled()).await.is_ok();
            self.flush().await;
            if stopped {
                return;
            }
        }
    }

    async fn flush(&self) {
        let counted = {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        if counted.is_empty() {
            return;
        }
        let all = counted.values().sum();
        let counts = counted
            .into_iter()
            .map(|((user, day, feature), uses)| FeatureCount {
                user,
                day,
                feature,
                uses,
            })
            .collect();
        if let Err(error) = self.0.sums.add_features(counts).await {
            tracing::warn!(reason = error.summary(), "uses of features were not counted");
            self.lost(all);
        }
    }

    fn lost(&self, uses: u64) {
        let failures = &self.0.metrics.best_effort_failures;
        failures.with_label_values(&[OPERATION]).inc_by(uses);
    }
}
