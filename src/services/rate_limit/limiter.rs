//! One quota for each key.

use std::fmt::{self, Display};
use std::hash::Hash;

use governor::clock::MonotonicClock;
use prometheus::IntCounter;

use crate::services::redis::Redis;
use crate::utils::metrics::Metrics;

use super::in_process::KeyedGcra;
use super::shared::SharedGcra;
use super::{Decision, Quota, Standing};

/// What a limit is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The requests of a user.
    User,
    /// All requests of this instance.
    Instance,
    /// The failed authentications of a client address.
    Authentication,
}

impl Scope {
    /// All scopes.
    pub const ALL: &'static [Self] = &[Self::User, Self::Instance, Self::Authentication];

    /// As a label and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Instance => "instance",
            Self::Authentication => "authentication",
        }
    }
}

/// A quota for each key: one for all instances while Redis is up, else one in each.
pub struct RateLimiter<K: Hash + Eq + Clone + Send + Sync + 'static> {
    quota: Quota,
    shared: Option<SharedGcra>,
    in_process: KeyedGcra<K>,
    decisions: DecisionCounters,
}

impl<K: Display + Hash + Eq + Clone + Send + Sync + 'static> RateLimiter<K> {
    /// Every key has the whole quota to begin with. Instances that are given the same Redis share it.
    #[must_use]
    pub fn new(scope: Scope, quota: Quota, redis: Option<&Redis>, metrics: &Metrics) -> Self {
        Self {
            quota,
            shared: redis.map(|redis| SharedGcra::new(redis.clone(), scope, quota)),
            in_process: KeyedGcra::new(quota, MonotonicClock),
            decisions: DecisionCounters::new(scope, metrics),
        }
    }

    /// Counts one more for this key, if it is allowed. Takes no longer than one operation of Redis may.
    pub async fn check(&self, key: &K) -> Decision {
        let shared = match &self.shared {
            Some(shared) => shared.check(key).await.ok(),
            None => None,
        };
        let decision = shared.unwrap_or_else(|| self.in_process.check(key));
        self.decisions.count(decision)
    }

    /// What a decision of this limiter leaves.
    #[must_use]
    pub fn standing(&self, decision: Decision) -> Standing {
        self.quota.standing(decision)
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> fmt::Debug for RateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

/// `rate_limit_decisions_total` of one scope.
pub(super) struct DecisionCounters {
    allowed: IntCounter,
    denied: IntCounter,
}

impl DecisionCounters {
    pub(super) fn new(scope: Scope, metrics: &Metrics) -> Self {
        let counter = |decision| {
            metrics
                .rate_limit_decisions
                .with_label_values(&[scope.as_str(), decision])
        };
        Self {
            allowed: counter("allowed"),
            denied: counter("denied"),
        }
    }

    /// Counts a decision and hands it on.
    pub(super) fn count(&self, decision: Decision) -> Decision {
        match decision {
            Decision::Allowed { .. } => self.allowed.inc(),
            Decision::Denied { .. } => self.denied.inc(),
        }
        decision
    }
}
