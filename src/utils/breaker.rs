//! A circuit breaker: stops calling what keeps failing, and tries again with a single probe.
//!
//! It does not know what is called. Whoever calls asks [`Breaker::try_acquire`], makes the call, and says how it
//! ended on the [`Permit`]. Time is given by the caller, so that tests need not wait.
//!
//! Invariants: it opens after a number of failures *in a row*; while it is half-open exactly one call is under
//! way; a probe that is dropped without a verdict (its caller was cancelled) makes room for the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// How long it stays open before it lets a probe through.
    pub cool_down: Duration,
}

/// What a breaker does with the next call. The order is that of the metric `circuit_breaker_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// One probe may go through, or is under way.
    HalfOpen,
    /// Calls are refused.
    Open,
}

impl BreakerState {
    /// The value of the metric: 0 closed, 1 half-open, 2 open.
    #[must_use]
    pub const fn metric(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// The refusal of a call while the breaker is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is open")]
pub struct BreakerOpen {
    /// How long it will stay so; zero while a probe is under way.
    pub retry_after: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Inner {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

/// Guards the calls to one thing.
#[derive(Debug)]
pub struct Breaker {
    policy: BreakerPolicy,
    inner: Mutex<Inner>,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            inner: Mutex::new(Inner::Closed { failures: 0 }),
        }
    }

    /// Asks to make a call.
    ///
    /// # Errors
    /// [`BreakerOpen`] if it is not to be made now.
    pub fn try_acquire(self: &Arc<Self>, now: Instant) -> Result<Permit, BreakerOpen> {
        let mut inner = self.lock();
        let probe = match *inner {
            Inner::Closed { .. } => false,
            Inner::Open { until } if now >= until => {
                *inner = Inner::Probing;
                true
            }
            Inner::Open { until } => {
                return Err(BreakerOpen {
                    retry_after: until - now,
                });
            }
            Inner::Probing => {
                return Err(BreakerOpen {
                    retry_after: Duration::ZERO,
                });
            }
        };
        drop(inner);
        Ok(Permit {
            breaker: Arc::clone(self),
            probe,
            asked: now,
        })
    }

    /// What it would do with a call now.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match *self.lock() {
            Inner::Closed { .. } => BreakerState::Closed,
            Inner::Open { until } if now < until => BreakerState::Open,
            Inner::Open { .. } | Inner::Probing => BreakerState::HalfOpen,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The leave to make one call. Dropped without a verdict it counts neither way.
#[derive(Debug)]
pub struct Permit {
    breaker: Arc<Breaker>,
    probe: bool,
    asked: Instant,
}

impl Permit {
    /// Whether this is the one call of a half-open breaker.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.probe
    }

    /// The call reached what it called, whatever that answered.
    pub fn succeeded(mut self) {
        let mut inner = self.breaker.lock();
        // A call from before the breaker opened says nothing about now: only the probe closes it.
        if self.probe || matches!(*inner, Inner::Closed { .. }) {
            *inner = Inner::Closed { failures: 0 };
        }
        drop(inner);
        self.probe = false;
    }

    /// The call failed in a way that speaks against calling again.
    pub fn failed(mut self, now: Instant) {
        let policy = self.breaker.policy;
        let mut inner = self.breaker.lock();
        let failures = match *inner {
            Inner::Closed { failures } => failures + 1,
            _ if self.probe => policy.failures,
            _ => 0,
        };
        if failures >= policy.failures {
            *inner = Inner::Open {
                until: now + policy.cool_down,
            };
        } else if failures > 0 {
            *inner = Inner::Closed { failures };
        }
        drop(inner);
        self.probe = false;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.probe {
            *self.breaker.lock() = Inner::Open { until: self.asked };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOL_DOWN: Duration = Duration::from_secs(5);

    fn breaker() -> Arc<Breaker> {
        Arc::new(Breaker::new(BreakerPolicy {
            failures: 3,
            cool_down: COOL_DOWN,
        }))
    }

    fn fail(breaker: &Arc<Breaker>, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.try_acquire(now).expect("closed").failed(now);
        }
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, 2, now);
        breaker.try_acquire(now).expect("closed").succeeded();
        fail(&breaker, 2, now);
        drop(breaker.try_acquire(now).expect("closed"));
        assert_eq!(breaker.state(now), BreakerState::Closed);
        fail(&breaker, 1, now);
        let soon = now + Duration::from_secs(1);
        assert_eq!(
            breaker.try_acquire(soon).expect_err("open").retry_after,
            Duration::from_secs(4)
        );
        assert_eq!(breaker.state(soon), BreakerState::Open);
    }

    #[test]
    fn one_probe_decides() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, 3, now);
        let later = now + COOL_DOWN;
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        let probe = breaker.try_acquire(later).expect("a probe");
        assert!(breaker.try_acquire(later).is_err());
        probe.failed(later);
        assert!(breaker.try_acquire(later + COOL_DOWN / 2).is_err());
        let probe = breaker.try_acquire(later + COOL_DOWN).expect("a probe");
        probe.succeeded();
        assert_eq!(breaker.state(later + COOL_DOWN), BreakerState::Closed);
        fail(&breaker, 2, later);
        assert_eq!(breaker.state(later), BreakerState::Closed);
    }

    #[test]
    fn a_cancelled_probe_makes_room() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, 3, now);
        let later = now + COOL_DOWN;
        drop(breaker.try_acquire(later).expect("a probe"));
        assert!(breaker.try_acquire(later).is_ok());
    }

    #[test]
    fn late_results_change_nothing_while_open() {
        let (breaker, now) = (breaker(), Instant::now());
        let (early, other) = (breaker.try_acquire(now), breaker.try_acquire(now));
        fail(&breaker, 3, now);
        early.expect("closed").succeeded();
        other.expect("closed").failed(now + COOL_DOWN);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert!(breaker.try_acquire(now + COOL_DOWN).is_ok());
    }
}
