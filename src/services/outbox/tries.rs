//! How often an entry was tried, when it is tried again, and when it is not any more.

use chrono::{DateTime, TimeDelta, Utc};

use crate::services::conversations::StoreError;

/// So many refusals make a dead letter. The pauses between them add up to 65 seconds at least.
pub const MAX_REFUSALS: u64 = 10;

/// The longest pause between two tries of one entry.
const MAX_PAUSE_SECONDS: i64 = 10;

/// What is said of an entry that cannot be read.
const UNREADABLE: &str = "it cannot be read";

/// How the tries of an entry went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tries {
    /// All of them.
    pub attempts: u64,
    /// Those that the store refused. An outage refuses nothing.
    pub refusals: u64,
    /// When the next one is due; `None` for a dead letter.
    pub next_at: Option<DateTime<Utc>>,
    /// Why the last one failed, in words that quote nothing of the entry.
    pub reason: Option<String>,
}

impl Tries {
    /// Of an entry that has not been tried yet: due at once.
    #[must_use]
    pub const fn none(now: DateTime<Utc>) -> Self {
        Self {
            attempts: 0,
            refusals: 0,
            next_at: Some(now),
            reason: None,
        }
    }

    /// After one more that failed now: the pauses grow, and the last refusal that an entry is allowed makes it a dead
    /// letter.
    #[must_use]
    pub fn failed(&self, error: &StoreError, now: DateTime<Utc>) -> Self {
        let refusals = self.refusals + u64::from(!error.is_outage());
        Self {
            attempts: self.attempts + 1,
            refusals,
            next_at: (refusals < MAX_REFUSALS).then(|| now + self.pause()),
            reason: Some(error.summary()),
        }
    }

    /// Of an entry that nobody can read: a dead letter at once.
    #[must_use]
    pub fn unreadable(&self) -> Self {
        Self {
            attempts: self.attempts + 1,
            next_at: None,
            reason: Some(UNREADABLE.to_owned()),
            ..*self
        }
    }

    /// Whether there will be no more of them, unless somebody asks for it.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.next_at.is_none()
    }

    /// Whether the next one is not due yet.
    pub(super) fn are_early(&self, now: DateTime<Utc>) -> bool {
        self.next_at.is_some_and(|next| next > now)
    }

    fn pause(&self) -> TimeDelta {
        let exponent = u32::try_from(self.attempts.min(8)).unwrap_or(8);
        TimeDelta::seconds(2_i64.pow(exponent).min(MAX_PAUSE_SECONDS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::utils::database::DatabaseError;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn refusals_end_it_after_a_minute_and_outages_never() {
        let (refusal, outage) = (StoreError::BranchNotFound, DatabaseError::TimedOut.into());
        let (mut tries, mut now) = (Tries::none(NOW), NOW);
        for _ in 1..MAX_REFUSALS {
            for _ in 0..3 {
                tries = tries.failed(&outage, now);
            }
            tries = tries.failed(&refusal, now);
            let next = tries.next_at.expect("another try");
            assert!(next > now && tries.are_early(now) && !tries.are_early(next));
            now = next;
        }
        tries = tries.failed(&outage, now);
        assert!(!tries.is_over());
        tries = tries.failed(&refusal, now);
        assert!(tries.is_over() && tries.refusals == MAX_REFUSALS);
        assert_eq!(tries.reason.as_deref(), Some("the branch does not exist"));
    }

    #[test]
    fn ten_refusals_take_a_minute_without_an_outage() {
        let (mut tries, mut now) = (Tries::none(NOW), NOW);
        while !tries.is_over() {
            tries = tries.failed(&StoreError::BranchNotFound, now);
            now = tries.next_at.unwrap_or(now);
        }
        assert_eq!((now - NOW).num_seconds(), 65);
    }
}
