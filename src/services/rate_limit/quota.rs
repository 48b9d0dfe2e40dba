//! How often something may be done, and what became of one attempt.

use std::num::NonZeroU32;
use std::time::Duration;

/// So many per minute in the long run, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota(governor::Quota);

impl Quota {
    /// `requests` per minute, of which `burst` may come at once. A 0 counts as 1.
    #[must_use]
    pub fn per_minute(requests: u32, burst: u32) -> Self {
        let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self(governor::Quota::per_minute(at_least_one(requests)).allow_burst(at_least_one(burst)))
    }

    /// The most that may come at once.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.0.burst_size().get()
    }

    /// The time after which one more is allowed.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.0.replenish_interval()
    }

    /// The time after which a used-up key is as good as new.
    #[must_use]
    pub const fn refill_time(&self) -> Duration {
        self.0.burst_size_replenished_in()
    }

    /// What a decision leaves of this quota.
    #[must_use]
    pub fn standing(&self, decision: Decision) -> Standing {
        let remaining = match decision {
            Decision::Allowed { remaining } => remaining,
            Decision::Denied { .. } => 0,
        };
        Standing {
            limit: self.burst(),
            remaining,
            reset_after: self.interval() * self.burst().saturating_sub(remaining),
        }
    }

    pub(super) const fn as_governor(&self) -> governor::Quota {
        self.0
    }
}

/// Whether something may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes, and it was counted.
    Allowed {
        /// How many more may follow at once.
        remaining: u32,
    },
    /// No; it was not counted, so that asking again and again does not put off the next time.
    Denied {
        /// The time until one is allowed again, if nobody takes it in the meantime.
        retry_after: Duration,
    },
}

/// How a key stands with its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The most that may come at once.
    pub limit: u32,
    /// How many may come at once now.
    pub remaining: u32,
    /// The time until `remaining` is `limit` again, if nothing comes; up to one [`Quota::interval`] more than that.
    pub reset_after: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_tells_when_the_burst_is_whole_again() {
        let quota = Quota::per_minute(60, 10);
        let fresh = quota.standing(Decision::Allowed { remaining: 9 });
        assert_eq!((fresh.limit, fresh.remaining), (10, 9));
        assert_eq!(fresh.reset_after, Duration::from_secs(1));
        let retry_after = Duration::from_millis(10);
        let used_up = quota.standing(Decision::Denied { retry_after });
        assert_eq!((used_up.remaining, used_up.reset_after), (0, quota.refill_time()));
        assert_eq!(quota.refill_time(), Duration::from_secs(10));
    }
}
