//! A bound on wrong credentials from one address.

use std::net::IpAddr;

use crate::services::rate_limit::{Decision, Quota, RateLimiter, Refusal, Scope};
use crate::utils::metrics::Metrics;

/// Failed authentications that one address has in a minute, and at once.
const PER_MINUTE: u32 = 30;

/// Limits the failed authentications of each address.
#[derive(Debug)]
pub struct FailedAttempts(RateLimiter<IpAddr>);

impl FailedAttempts {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let quota = Quota::per_minute(PER_MINUTE, PER_MINUTE);
        Self(RateLimiter::new(Scope::Authentication, quota, metrics))
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// If the address has used up its failures.
    pub fn count(&self, address: IpAddr) -> Result<(), Refusal> {
        match self.0.check(&network(address)) {
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

    #[test]
    fn counts_each_address_and_each_v6_network_by_itself() {
        let failures = FailedAttempts::new(&Metrics::new(0).expect("families"));
        let may_fail = |text: &str| failures.count(text.parse().expect("an address")).is_ok();
        for n in 0..PER_MINUTE {
            assert!(may_fail("192.0.2.1"));
            assert!(may_fail(&format!("2001:db8::{n:x}")));
        }
        assert!(!may_fail("192.0.2.1"));
        assert!(!may_fail("2001:db8::ffff"));
        assert!(may_fail("192.0.2.2"));
        assert!(may_fail("2001:db8:0:1::1"));
    }
}
