//! Limits on waiting.

use std::time::Duration;

/// Longer than anything takes on a busy machine, shorter than a person's patience.
const LIMIT: Duration = Duration::from_secs(20);

/// How often [`eventually`] looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits for a future, but not forever.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    within_limit(LIMIT, what, future).await
}

/// Waits for a future no longer than `limit`.
pub async fn within_limit<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, future)
        .await
        .unwrap_or_else(|_| panic!("waited {limit:?} in vain for {what}"))
}

/// Looks again and again until there is something to see: for states that announce themselves to nobody.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
    .await
}

/// Lets time pass. Only for promises that are about time themselves, never to wait for something to happen.
pub async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}
