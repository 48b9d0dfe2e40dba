//! A bound on wrong credentials from one address.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::sync::Cache;

/// Failed authentications that one address has in a window.
const MAX_FAILURES: u32 = 30;

/// The window, which begins with an address's first failure.
const WINDOW: Duration = Duration::from_secs(60);

/// Addresses watched at a time; what is over it pushes out those seen least.
const MAX_ADDRESSES: u64 = 100_000;

/// Counts the failed authentications of each address.
#[derive(Debug)]
pub struct FailedAttempts(Cache<IpAddr, Arc<AtomicU32>>);

impl Default for FailedAttempts {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(MAX_ADDRESSES)
                .time_to_live(WINDOW)
                .build(),
        )
    }
}

impl FailedAttempts {
    /// How long a client should wait when it has failed too often.
    pub const RETRY_AFTER: Duration = WINDOW;

    /// Counts a failure; true if the address had used up its failures before.
    pub fn add(&self, address: IpAddr) -> bool {
        let failures = self.0.get_with(block(address), Arc::default);
        failures.fetch_add(1, Ordering::Relaxed) >= MAX_FAILURES
    }
}

/// The address that counts: of IPv6 the /64, since every customer has a whole one to guess from.
fn block(address: IpAddr) -> IpAddr {
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
        let failures = FailedAttempts::default();
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        for n in 0..MAX_FAILURES {
            assert!(!failures.add(parse("192.0.2.1")));
            assert!(!failures.add(parse(&format!("2001:db8::{n:x}"))));
        }
        assert!(failures.add(parse("192.0.2.1")));
        assert!(failures.add(parse("2001:db8::ffff")));
        assert!(!failures.add(parse("192.0.2.2")));
        assert!(!failures.add(parse("2001:db8:0:1::1")));
    }
}
