//! Promises while Redis fails, and without it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::instances::{Instance, Origin, Pair, new_user};
use crate::support::time::{eventually, pass};

/// After a change, for how long another instance may show what was before.
const BEHIND: Duration = Duration::from_millis(1_300);

#[tokio::test]
async fn what_redis_missed_is_not_served_when_it_is_back() {
    let pair = Pair::start().await;
    let user = new_user();
    pair.here.write(user, "a", "old").await;
    for instance in [&pair.here, &pair.there] {
        assert_eq!(instance.read(user, "a").await.as_deref(), Some("old"));
    }
    pair.server.pause();
    pair.here.write(user, "a", "new").await;
    let written = Instant::now();
    assert_eq!(
        pair.here.read(user, "a").await.as_deref(),
        Some("new"),
        "at once, where it was written"
    );
    let mut resumed = false;
    // Until Redis, which still has the old value, is served from again.
    let asked = pair.there.asked_redis();
    while pair.there.asked_redis() <= asked {
        let began = written.elapsed();
        let read = pair.there.read(user, "a").await;
        assert!(
            read.as_deref() == Some("new") || began < BEHIND,
            "old after {began:?}"
        );
        if began > BEHIND && !resumed {
            pair.server.resume();
            resumed = true;
        }
        assert!(began < Duration::from_secs(20), "Redis is not served from");
        pass(Duration::from_millis(20)).await;
    }
    for instance in [&pair.here, &pair.there] {
        assert_eq!(instance.read(user, "a").await.as_deref(), Some("new"));
    }
    pair.close().await;
}

#[tokio::test]
async fn a_frozen_redis_costs_little_and_fails_nothing() {
    let pair = Pair::start().await;
    let user = new_user();
    pair.origin.set(user, "a", "one");
    pair.server.pause();
    pair.here.client.as_ref().expect("a client").is_down().await;
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(pair.here.read(user, "a").await.as_deref(), Some("one"));
        pair.here.write(user, "a", "one").await;
    }
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    pair.close().await;
}

#[tokio::test]
async fn without_redis_others_changes_show_within_a_second() {
    let origin = Arc::new(Origin::default());
    let instance = Instance::new(&origin, None, false);
    let user = new_user();
    origin.set(user, "a", "old");
    eventually("a value kept", async || {
        let before = origin.loads();
        instance.read(user, "a").await;
        (origin.loads() == before).then_some(())
    })
    .await;
    origin.set(user, "a", "new");
    let changed = Instant::now();
    eventually("the change to show", async || {
        (instance.read(user, "a").await.as_deref() == Some("new")).then_some(())
    })
    .await;
    assert!(changed.elapsed() < BEHIND, "{:?}", changed.elapsed());
    instance.close().await;
}
