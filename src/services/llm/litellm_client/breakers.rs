//! A circuit breaker for each model of the server: one model's provider may be down while the others answer.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;

use super::UPSTREAM;
use crate::services::llm::{ModelError, ModelErrorKind};
use crate::utils::breaker::{Breaker, BreakerPolicy, BreakerState, Permit};
use crate::utils::metrics::Metrics;

const POLICY: BreakerPolicy = BreakerPolicy {
    failures: 20,
    cool_down: Duration::from_secs(5),
};

/// Models watched at once. Model names come from callers, so their number must have an end.
const MAX_MODELS: u64 = 1_000;

/// A model that nobody asks for is forgotten after this time.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// The breakers of one server.
pub(super) struct Breakers {
    by_model: Cache<Arc<str>, Arc<Breaker>>,
    metrics: Arc<Metrics>,
}

impl Breakers {
    /// All closed.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            by_model: Cache::builder()
                .max_capacity(MAX_MODELS)
                .time_to_idle(FORGOTTEN_AFTER)
                .build(),
            metrics,
        }
    }

    /// Asks to call a model.
    ///
    /// # Errors
    /// `Unavailable` while the model's breaker is open, with the time until it is not.
    pub(super) fn acquire(&self, model: &Arc<str>, now: Instant) -> Result<Permit, ModelError> {
        let breaker = self
            .by_model
            .get_with_by_ref(model, || Arc::new(Breaker::new(POLICY)));
        let permit = breaker.try_acquire(now);
        if permit.as_ref().map_or(true, Permit::is_probe) {
            self.publish(now);
        }
        permit.map_err(|open| {
            let after = Some(open.retry_after).filter(|after| !after.is_zero());
            ModelError::new(ModelErrorKind::Unavailable, &open.to_string()).with_retry_after(after)
        })
    }

    /// Says how a call ended.
    pub(super) fn settle(&self, permit: Permit, error: Option<&ModelError>, now: Instant) {
        let failed = error.is_some_and(ModelError::counts_against_breaker);
        let changes_state = failed || permit.is_probe();
        if failed {
            permit.failed(now);
        } else {
            permit.succeeded();
        }
        if changes_state {
            self.publish(now);
        }
    }

    /// Shows the worst state of all models in the metrics.
    pub(super) fn publish(&self, now: Instant) {
        let worst = self
            .by_model
            .iter()
            .map(|(_, breaker)| breaker.state(now))
            .max()
            .unwrap_or(BreakerState::Closed);
        self.metrics
            .circuit_breaker_state
            .with_label_values(&[UPSTREAM])
            .set(worst.metric());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_has_its_own() {
        let metrics = Arc::new(Metrics::new(0).expect("families"));
        let breakers = Breakers::new(Arc::clone(&metrics));
        let gauge = || metrics.circuit_breaker_state.with_label_values(&[UPSTREAM]).get();
        let (now, down, up) = (Instant::now(), Arc::from("down"), Arc::from("up"));
        let refused = ModelError::new(ModelErrorKind::Unavailable, "connection refused");
        let rejected = ModelError::new(ModelErrorKind::Rejected, "").with_status(400);
        for _ in 0..POLICY.failures {
            breakers.settle(breakers.acquire(&down, now).expect("closed"), Some(&refused), now);
            breakers.settle(breakers.acquire(&up, now).expect("closed"), Some(&rejected), now);
        }
        assert_eq!(gauge(), 2);
        let error = breakers.acquire(&down, now).expect_err("open");
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ModelErrorKind::Unavailable, Some(POLICY.cool_down))
        );
        assert!(breakers.acquire(&up, now).is_ok());

        let later = now + POLICY.cool_down;
        let probe = breakers.acquire(&down, later).expect("a probe");
        assert_eq!(gauge(), 1);
        breakers.settle(probe, None, later);
        assert_eq!(gauge(), 0);
    }
}
