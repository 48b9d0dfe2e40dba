//! Redis: what instances share and may lose.
//!
//! - [`Redis`]: asks it, each time within `REDIS_TIMEOUT_MS`; what becomes of that is a reply or a [`RedisFailure`]
//! - [`Availability`]: whether it is up, and how often it was lost
//! - [`Subscription`]: publish/subscribe; `hub` shares one connection among all subscriptions
//! - `keeper`: connects in the background; nobody who asks ever waits for a connection
//!
//! What holds for all that is kept there:
//!
//! - Redis may vanish at any moment, come back empty, or come back as it was. Nothing is only there.
//! - While it is down, asking fails at once. Nothing is asked twice: who asked knows whether that would be safe.
//! - Every key and channel begins with [`PREFIX`], and every key has a TTL. No `KEYS`, no `FLUSHDB`.

use std::time::Duration;

mod availability;
mod client;
mod error;
mod hub;
mod keeper;
mod link;

pub use availability::Availability;
pub use client::{Redis, RedisUrlError};
pub use error::RedisFailure;
pub use hub::{Notice, Subscription};

/// What every key and every channel begins with, so that a Redis can be shared with others.
pub const PREFIX: &str = "aco:";

/// The `upstream` label of the metrics.
const UPSTREAM: &str = "redis";

/// The pause after the first of the quick attempts to connect; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The pause when the quick attempts are used up.
const PAUSE: Duration = Duration::from_secs(1);

/// The pause after an attempt to connect, counted from 0. It is spread, so that instances do not come all at once.
fn backoff(attempt: u32, quick_attempts: u32) -> Duration {
    if attempt >= quick_attempts {
        return PAUSE;
    }
    let pause = FIRST_PAUSE.saturating_mul(1 << attempt.min(5)).min(PAUSE);
    pause.mul_f64(rand::random_range(0.5..1.0))
}
