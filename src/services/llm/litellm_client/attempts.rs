//! What is tried after a failure, as long as no chunk has been shown: the same model again after a pause, then its
//! fallbacks. Time and chance are given, so that the plan can be tested without either.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::services::llm::ModelError;

/// Every attempt begins within this time after the first: so long may the response's headers wait.
const WINDOW: Duration = Duration::from_secs(10);

/// A server that asks for a longer pause is not waited for: the client is told at once.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The pause before the first repetition, doubled for each further one up to [`LONGEST_WAIT`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The attempts at one call.
#[derive(Debug)]
pub(super) struct AttemptPlan {
    model: Arc<str>,
    /// What is asked next, the last one first.
    fallbacks: Vec<Arc<str>>,
    max_retries: u32,
    /// Repetitions at this model so far.
    retries: u32,
    window_ends: Instant,
}

impl AttemptPlan {
    /// A plan that begins with the model that was asked for. `max_retries` holds for each model.
    pub(super) fn new(model: &Arc<str>, fallbacks: &[Arc<str>], max_retries: u32, now: Instant) -> Self {
        Self {
            model: Arc::clone(model),
            fallbacks: fallbacks.iter().rev().cloned().collect(),
            max_retries,
            retries: 0,
            window_ends: now + WINDOW,
        }
    }

    /// The model to ask.
    pub(super) fn model(&self) -> Arc<str> {
        Arc::clone(&self.model)
    }

    /// Goes on after a failure: how long to wait before [`Self::model`] is asked, or `None` to give up. `jitter`
    /// is a factor from 0.5 to 1, so that many callers do not come back at once.
    pub(super) fn after(&mut self, error: &ModelError, now: Instant, jitter: f64) -> Option<Duration> {
        if !error.retryable_before_first_byte() {
            return None;
        }
        let pause = match self.pause(error, jitter) {
            Some(pause) => {
                self.retries += 1;
                pause
            }
            None => {
                self.model = self.fallbacks.pop()?;
                self.retries = 0;
                Duration::ZERO
            }
        };
        (now + pause < self.window_ends).then_some(pause)
    }

    /// How long to wait before the same model is asked again; `None` if it is not.
    fn pause(&self, error: &ModelError, jitter: f64) -> Option<Duration> {
        if self.retries >= self.max_retries {
            return None;
        }
        let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.retries));
        let backoff = doubled.min(LONGEST_WAIT).mul_f64(jitter);
        let asked_for = error.retry_after().unwrap_or_default();
        (asked_for <= LONGEST_WAIT).then(|| backoff.max(asked_for))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::llm::ModelErrorKind;

    fn plan(fallbacks: &[&str], max_retries: u32, now: Instant) -> AttemptPlan {
        let fallbacks: Vec<_> = fallbacks.iter().map(|name| Arc::from(*name)).collect();
        AttemptPlan::new(&Arc::from("asked"), &fallbacks, max_retries, now)
    }

    fn failure() -> ModelError {
        ModelError::new(ModelErrorKind::Failed, "")
    }

    fn limited(seconds: u64) -> ModelError {
        ModelError::new(ModelErrorKind::RateLimited, "").with_retry_after(Some(Duration::from_secs(seconds)))
    }

    #[test]
    fn repeats_with_growing_pauses_then_falls_back_in_order() {
        let now = Instant::now();
        let mut plan = plan(&["b", "c"], 2, now);
        let mut steps = Vec::new();
        while let Some(pause) = plan.after(&failure(), now, 1.0) {
            steps.push(format!("{} {}", plan.model(), pause.as_millis()));
        }
        assert_eq!(
            steps,
            [
                "asked 100",
                "asked 200",
                "b 0",
                "b 100",
                "b 200",
                "c 0",
                "c 100",
                "c 200"
            ]
        );
    }

    #[test]
    fn waits_as_asked_up_to_a_second_and_else_falls_back_or_gives_up() {
        let now = Instant::now();
        assert_eq!(
            plan(&[], 2, now).after(&limited(1), now, 1.0),
            Some(Duration::from_secs(1))
        );
        assert_eq!(plan(&[], 2, now).after(&limited(2), now, 1.0), None);
        let mut with_fallback = plan(&["b"], 2, now);
        assert_eq!(with_fallback.after(&limited(2), now, 1.0), Some(Duration::ZERO));
        assert_eq!(&*with_fallback.model(), "b");
    }

    #[test]
    fn never_repeats_what_cannot_help() {
        let now = Instant::now();
        let refused = ModelError::new(ModelErrorKind::Rejected, "");
        assert_eq!(plan(&["b"], 2, now).after(&refused, now, 1.0), None);
        assert_eq!(plan(&[], 0, now).after(&failure(), now, 1.0), None);
    }

    #[test]
    fn begins_nothing_after_the_window() {
        let now = Instant::now();
        assert!(
            plan(&[], 2, now)
                .after(&failure(), now + WINDOW - Duration::from_millis(101), 1.0)
                .is_some()
        );
        assert_eq!(plan(&["b"], 2, now).after(&failure(), now + WINDOW, 1.0), None);
    }
}
