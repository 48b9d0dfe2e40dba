//! A bound on wrong credentials from one address.

use std::net::IpAddr;

use crate::services::rate_limit::{Decision, Quota, RateLimiter, Refusal, Scope};
use crate::services::redis::Redis;
use crate::utils::metrics::Metrics;

/// Failed authentications that one address has in a minute, and at once.
const PER_MINUTE: u32 = 30;

/// Limits the failed authentications of each address.
#[derive(Debug)]
pub struct FailedAttempts(RateLimiter<IpAddr>);

impl FailedAttempts {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new(redis: Option<&Redis>, metrics: &Metrics) -> Self {
        let quota = Quota::per_minute(PER_MINUTE, PER_MINUTE);
        Self(RateLimiter::new(Scope::Authentication, quota, redis, metrics))
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// If the address has used up its failures.
    pub async fn count(&self, address: IpAddr) -> Result<(), Refusal> {
        match self.0.check(&network(address)).await {
            Decision::Allowed { .. } => Ok(()),
            Decision::Denied { retry_after } => Err(Refusal {
                scope: Scope::Authentication,
                retry_after,
            }),
        }
    }
}

/// The address that counts: of IPv6 the /64, since every customer has a whole one to guess from.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counts_each_address_and_each_v6_network_by_itself() {
        let failures = FailedAttempts::new(None, &Metrics::new(0).expect("families"));
        let may_fail = async |text: &str| {
            let address = text.parse().expect("an address");
            failures.count(address).await.is_ok()
        };
        for n in 0..PER_MINUTE {
            assert!(may_fail("192.0.2.1").await);
            assert!(may_fail(&format!("2001:db8::{n:x}")).await);
        }
        assert!(!may_fail("192.0.2.1").await);
        assert!(!may_fail("2001:db8::ffff").await);
        assert!(may_fail("192.0.2.2").await);
        assert!(may_fail("2001:db8:0:1::1").await);
    }
}
