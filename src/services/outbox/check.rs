//! The health check of the outbox.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Outbox, OutboxState};
use crate::services::health::{Check, Importance};

/// An entry that waits for longer than this is not just passing through.
const LATE: TimeDelta = TimeDelta::minutes(5);

#[async_trait]
impl Check for Outbox {
    fn name(&self) -> &'static str {
        "outbox"
    }

    fn importance(&self) -> Importance {
        Importance::Optional
    }

    async fn check(&self) -> Result<Option<String>, String> {
        judge(&self.state(), self.0.clock.now()).map(Some)
    }
}

fn judge(state: &OutboxState, now: DateTime<Utc>) -> Result<String, String> {
    let age = state.oldest.map(|oldest| now - oldest);
    let oldest = age.map_or_else(String::new, |age| {
        format!(" (the oldest for {} s)", age.num_seconds().max(0))
    });
    let detail = format!(
        "waiting: {}{oldest}, dead letters: {}",
        state.pending, state.dead_letters
    );
    let is_late = age.is_some_and(|age| age > LATE);
    if state.dead_letters > 0 || is_late {
        Err(detail)
    } else {
        Ok(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_long_or_forever_is_not_well() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let state = |pending, age, dead_letters| OutboxState {
            pending,
            oldest: (pending > 0).then(|| now - TimeDelta::seconds(age)),
            dead_letters,
        };
        for (state, expected) in [
            (state(0, 0, 0), Ok("waiting: 0, dead letters: 0")),
            (
                state(2, 300, 0),
                Ok("waiting: 2 (the oldest for 300 s), dead letters: 0"),
            ),
            (
                state(1, 301, 0),
                Err("waiting: 1 (the oldest for 301 s), dead letters: 0"),
            ),
            (state(0, 0, 1), Err("waiting: 0, dead letters: 1")),
        ] {
            let found = judge(&state, now);
            let found = found.as_deref().map_err(String::as_str);
            assert_eq!(found, expected);
        }
    }
}
