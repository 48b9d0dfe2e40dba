//! GCRA in this process, by `governor`. Time is the machine's monotonic clock, so that nobody gains or loses by its
//! being set.

use std::hash::Hash;

use governor::NotUntil;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::{InMemoryState, NotKeyed};

use super::bounded_states::BoundedStates;
use super::{Decision, Quota};

type Governor<K, S, C> = governor::RateLimiter<K, S, C, StateInformationMiddleware>;

/// A quota for each key.
pub(super) struct KeyedGcra<K, C = MonotonicClock>(Governor<K, BoundedStates<K>, C>)
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    C: Clock;

impl<K: Hash + Eq + Clone + Send + Sync + 'static, C: Clock> KeyedGcra<K, C> {
    pub(super) fn new(quota: Quota, clock: C) -> Self {
        let states = BoundedStates::new(quota);
        Self(Governor::new(quota.as_governor(), states, clock))
    }

    pub(super) fn check(&self, key: &K) -> Decision {
        decision(self.0.check_key(key), self.0.clock())
    }
}

/// One quota.
pub(super) struct Gcra<C: Clock = MonotonicClock>(Governor<NotKeyed, InMemoryState, C>);

impl<C: Clock> Gcra<C> {
    pub(super) fn new(quota: Quota, clock: C) -> Self {
        Self(Governor::new(
            quota.as_governor(),
            InMemoryState::default(),
            clock,
        ))
    }

    pub(super) fn check(&self) -> Decision {
        decision(self.0.check(), self.0.clock())
    }
}

fn decision<C: Clock>(outcome: Result<StateSnapshot, NotUntil<C::Instant>>, clock: &C) -> Decision {
    match outcome {
        Ok(state) => Decision::Allowed {
            remaining: state.remaining_burst_capacity(),
        },
        Err(until) => Decision::Denied {
            retry_after: until.wait_time_from(clock.now()),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    const KEY: u8 = 1;

    /// One per second, three at once.
    fn limiter() -> (KeyedGcra<u8, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (KeyedGcra::new(Quota::per_minute(60, 3), clock.clone()), clock)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let (limiter, clock) = limiter();
        for remaining in [2, 1, 0] {
            assert_eq!(limiter.check(&KEY), Decision::Allowed { remaining });
        }
        let denied = |millis| Decision::Denied {
            retry_after: Duration::from_millis(millis),
        };
        assert_eq!(limiter.check(&KEY), denied(1000));
        clock.advance(Duration::from_millis(400));
        assert_eq!(limiter.check(&KEY), denied(600), "asking in vain costs nothing");
        clock.advance(Duration::from_millis(600));
        assert_eq!(limiter.check(&KEY), Decision::Allowed { remaining: 0 });
        assert_eq!(limiter.check(&KEY), denied(1000));
        clock.advance(Duration::from_secs(3));
        assert_eq!(limiter.check(&KEY), Decision::Allowed { remaining: 2 });
    }

    #[test]
    fn each_key_has_its_own() {
        let (limiter, _) = limiter();
        for _ in 0..4 {
            limiter.check(&KEY);
        }
        assert_eq!(limiter.check(&2), Decision::Allowed { remaining: 2 });
    }

    #[test]
    fn without_keys_all_share_one() {
        let clock = FakeRelativeClock::default();
        let limiter = Gcra::new(Quota::per_minute(6000, 2), clock);
        assert_eq!(limiter.check(), Decision::Allowed { remaining: 1 });
        assert_eq!(limiter.check(), Decision::Allowed { remaining: 0 });
        let retry_after = Duration::from_millis(10);
        assert_eq!(limiter.check(), Decision::Denied { retry_after });
    }
}
