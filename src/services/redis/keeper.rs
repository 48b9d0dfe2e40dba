//! Keeps Redis connected, so that nobody who asks has to.
//!
//! While it is down: `REDIS_RETRY_ATTEMPTS` quick attempts, then one each second. While it is up: a heartbeat each
//! second on each connection, so that a loss is found where nobody asks, too.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::client::Redis;
use super::link::Link;
use super::{RedisFailure, backoff};
use crate::utils::breaker::BreakerState;

/// Between heartbeats.
const BEAT: Duration = Duration::from_secs(1);

/// For opening the connections: a name has to be looked up and keys to be exchanged, which takes longer than one
/// request may.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Connects and watches until `stop` is cancelled.
pub(super) async fn run(redis: Redis, stop: CancellationToken) {
    let keep = async {
        loop {
            let link = connect(&redis).await;
            watch(&redis, &link).await;
        }
    };
    stop.run_until_cancelled(keep).await;
}

/// Tries until there is a link, and hands it to all who ask.
async fn connect(redis: &Redis) -> Arc<Link> {
    let started = Instant::now();
    let mut attempt = 0;
    loop {
        redis.shared.show(BreakerState::HalfOpen);
        let failure = match open(redis).await {
            Ok(link) => {
                redis.shared.found(&link);
                tracing::info!(after_seconds = started.elapsed().as_secs_f64(), "Redis is up");
                return link;
            }
            Err(failure) => failure,
        };
        redis.shared.show(BreakerState::Open);
        if attempt == 0 {
            tracing::warn!(%failure, "Redis cannot be reached, and is tried again");
        }
        sleep(backoff(attempt, redis.shared.quick_attempts)).await;
        attempt = attempt.saturating_add(1);
    }
}

/// A link that has proved to work.
async fn open(redis: &Redis) -> Result<Arc<Link>, RedisFailure> {
    let link = timeout(CONNECT_WITHIN, Link::open(&redis.shared.server))
        .await
        .map_err(|_| RedisFailure::TimedOut)??;
    let link = Arc::new(link);
    redis.beat(&link).await?;
    Ok(link)
}

/// Returns when the link is lost.
async fn watch(redis: &Redis, link: &Arc<Link>) {
    let mut availability = redis.availability();
    let mut pause = BEAT;
    loop {
        tokio::select! {
            _ = availability.wait_for(|now| !now.is_up()) => return,
            () = sleep(pause) => {}
            () = redis.shared.doubts.notified() => {}
        }
        // A doubt is settled at once: so many heartbeats in a row have to be missed.
        pause = match redis.beat(link).await {
            Ok(()) => BEAT,
            Err(_) => Duration::ZERO,
        };
    }
}
