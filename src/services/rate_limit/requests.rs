//! The quotas that every request of a caller has to pass.

use std::fmt;
use std::time::Duration;

use governor::clock::MonotonicClock;

use crate::config::LoadSettings;
use crate::models::ids::UserId;
use crate::services::redis::Redis;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::metrics::Metrics;

use super::in_process::Gcra;
use super::limiter::DecisionCounters;
use super::{Decision, Quota, RateLimiter, Scope, Standing};

/// `USER_RATE_LIMIT_*` for each user, `RATE_LIMIT_*` for all requests of this instance.
pub struct RequestLimits {
    users: RateLimiter<UserId>,
    instance: Gcra,
    instance_decisions: DecisionCounters,
}

/// What the limits say to one request.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// How the user stands, whether or not the request may pass.
    pub user: Standing,
    /// Why the request may not pass, if so.
    pub refusal: Option<Refusal>,
}

/// Which limit a request has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rate limit is met: {}", scope.as_str())]
pub struct Refusal {
    /// The limit.
    pub scope: Scope,
    /// The time after which a request may pass again.
    pub retry_after: Duration,
}

impl RequestLimits {
    /// The limits of the settings; `None` unless `RATE_LIMIT_ENABLED`.
    #[must_use]
    pub fn new(settings: &LoadSettings, redis: Option<&Redis>, metrics: &Metrics) -> Option<Self> {
        if !settings.rate_limit_enabled {
            return None;
        }
        let user = Quota::per_minute(settings.user_rate_per_minute, settings.user_rate_burst);
        let instance = Quota::per_minute(settings.rate_per_minute, settings.rate_burst);
        Some(Self {
            users: RateLimiter::new(Scope::User, user, redis, metrics),
            instance: Gcra::new(instance, MonotonicClock),
            instance_decisions: DecisionCounters::new(Scope::Instance, metrics),
        })
    }

    /// Counts a request of this user, if it may pass.
    ///
    /// The user's limit comes first: what it refuses must not use up what the instance has for others.
    pub async fn check(&self, user: UserId) -> Verdict {
        let of_user = self.users.check(&user).await;
        let refusal = refusal(Scope::User, of_user).or_else(|| {
            let of_instance = self.instance_decisions.count(self.instance.check());
            refusal(Scope::Instance, of_instance)
        });
        Verdict {
            user: self.users.standing(of_user),
            refusal,
        }
    }
}

fn refusal(scope: Scope, decision: Decision) -> Option<Refusal> {
    match decision {
        Decision::Allowed { .. } => None,
        Decision::Denied { retry_after } => Some(Refusal { scope, retry_after }),
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let message = match refusal.scope {
            Scope::User => "You have sent too many requests. Try again later.",
            Scope::Instance => "The service gets too many requests. Try again later.",
            Scope::Authentication => "Too many failed authentications from your address.",
        };
        // A wait that is over before the answer is written would be no wait at all.
        let retry_after = refusal.retry_after.max(Duration::from_secs(1));
        Self::new(ErrorCode::RateLimitExceeded, message).with_retry_after(retry_after)
    }
}

impl fmt::Debug for RequestLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLimits")
            .field("users", &self.users)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::testing;

    const ALICE: UserId = UserId(Uuid::from_u128(1));
    const BOB: UserId = UserId(Uuid::from_u128(2));

    /// Two at once for a user, three for the instance; one more after a minute.
    fn limits() -> (RequestLimits, Metrics) {
        let metrics = Metrics::new(0).expect("families");
        let mut settings = testing::settings().load;
        settings.rate_limit_enabled = true;
        (settings.user_rate_per_minute, settings.user_rate_burst) = (1, 2);
        (settings.rate_per_minute, settings.rate_burst) = (1, 3);
        let limits = RequestLimits::new(&settings, None, &metrics).expect("enabled");
        (limits, metrics)
    }

    fn refused_by(verdict: Verdict) -> Option<Scope> {
        verdict.refusal.map(|refusal| refusal.scope)
    }

    #[tokio::test]
    async fn what_a_user_is_refused_is_left_for_others() {
        let (limits, _) = limits();
        for _ in 0..2 {
            assert_eq!(refused_by(limits.check(ALICE).await), None);
        }
        for _ in 0..10 {
            assert_eq!(refused_by(limits.check(ALICE).await), Some(Scope::User));
        }
        assert_eq!(refused_by(limits.check(BOB).await), None);
        assert_eq!(refused_by(limits.check(BOB).await), Some(Scope::Instance));
    }

    #[tokio::test]
    async fn decisions_are_counted_for_each_limit() {
        let (limits, metrics) = limits();
        for _ in 0..3 {
            limits.check(ALICE).await;
        }
        let text = metrics.render().expect("metrics");
        for sample in [
            r#"{decision="allowed",scope="user"} 2"#,
            r#"{decision="denied",scope="user"} 1"#,
            r#"{decision="allowed",scope="instance"} 2"#,
            r#"{decision="denied",scope="instance"} 0"#,
        ] {
            assert!(
                text.contains(&format!("rate_limit_decisions_total{sample}")),
                "{sample}"
            );
        }
    }

    #[test]
    fn a_refusal_asks_for_at_least_a_second() {
        let error = ApiError::from(Refusal {
            scope: Scope::User,
            retry_after: Duration::ZERO,
        });
        assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    }
}
