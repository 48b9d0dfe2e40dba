//! Promises between instances with one Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ai_chat_orchestrator::services::cache::Namespace;
use redis::Cmd;

use super::instances::{Instance, LONG, Origin, Pair, new_user};
use crate::support::redis::RedisServer;
use crate::support::time::eventually;

/// The same texts in the encoding of another release.
struct NewTexts;

impl Namespace for NewTexts {
    type Key = String;
    type Value = (String, u64);
    const NAME: &'static str = "texts";
    const VERSION: u8 = 2;

    fn ttl(&self) -> Duration {
        LONG
    }
}

#[tokio::test]
async fn what_one_loads_the_other_finds() {
    let pair = Pair::start().await;
    let user = new_user();
    pair.origin.set(user, "a", "one");
    assert_eq!(pair.here.read(user, "a").await.as_deref(), Some("one"));
    let loads = pair.origin.loads();
    assert_eq!(pair.there.read(user, "a").await.as_deref(), Some("one"));
    assert_eq!(pair.origin.loads(), loads);
    pair.close().await;
}

#[tokio::test]
async fn a_change_shows_in_the_other_instance_within_a_second() {
    let pair = Pair::start().await;
    let user = new_user();
    for n in 0..10 {
        let text = n.to_string();
        pair.here.write(user, "a", &text).await;
        let written = Instant::now();
        eventually("the change to show", async || {
            let read = pair.there.read(user, "a").await;
            (read.as_deref() == Some(&*text)).then_some(())
        })
        .await;
        assert!(
            written.elapsed() < Duration::from_secs(1),
            "{:?}",
            written.elapsed()
        );
        // Kept by both now, for the next round to be about what is kept.
        pair.here.read(user, "a").await;
    }
    pair.close().await;
}

#[tokio::test]
async fn reads_from_the_process_where_others_are_heard() {
    let pair = Pair::start().await;
    let user = new_user();
    pair.origin.set(user, "a", "one");
    eventually("a read that asks nobody", async || {
        pair.here.read(user, "a").await;
        let (asked, hits) = (pair.here.asked_redis(), pair.here.count("memory", "hit"));
        pair.here.read(user, "a").await;
        let by_itself = pair.here.asked_redis() == asked && pair.here.count("memory", "hit") == hits + 1;
        by_itself.then_some(())
    })
    .await;
    pair.close().await;
}

#[tokio::test]
async fn what_another_release_wrote_is_a_miss() {
    let pair = Pair::start().await;
    let (user, key) = (new_user(), "a".to_owned());
    pair.origin.set(user, "a", "one");
    let load = || async { Ok::<_, ()>(Some(("new".to_owned(), 2))) };
    let new = pair.here.cache.get_or_load(&NewTexts, user, &key, load).await;
    assert_eq!(new, Ok(Some(("new".to_owned(), 2))));
    assert_eq!(pair.there.read(user, "a").await.as_deref(), Some("one"));
    assert_eq!(pair.here.read(user, "a").await.as_deref(), Some("one"));
    pair.close().await;
}

#[tokio::test]
async fn every_key_ends_of_itself_and_not_all_at_once() {
    let pair = Pair::start().await;
    for n in 0..50 {
        let (user, name) = (new_user(), n.to_string());
        pair.origin.set(user, &name, &name);
        pair.here.read(user, &name).await;
    }
    let redis = &pair.here.client.as_ref().expect("a client").redis;
    let mut spread = Vec::new();
    let (mut cursor, mut keys) = (0, Vec::new());
    loop {
        let command = redis::cmd("SCAN").arg(cursor).arg("MATCH").arg("*").clone();
        let (next, page): (u64, Vec<String>) = redis.query(&command).await.expect("keys");
        keys.extend(page);
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    for key in keys {
        assert!(key.starts_with("aco:"), "{key}");
        let ttl_ms: i64 = redis.query(&Cmd::pttl(&key)).await.expect("a time");
        assert!(ttl_ms > 0, "{key} stays for ever");
        if key.contains(":texts:") {
            spread.push(ttl_ms);
        }
    }
    let (least, most) = (
        spread.iter().min().expect("a value"),
        spread.iter().max().expect("a value"),
    );
    assert!(*most <= 660_000 && *least > 500_000, "{least} to {most} ms");
    assert!(most - least > 10_000, "{least} to {most} ms");
    pair.close().await;
}

#[tokio::test]
async fn an_evicted_tag_brings_nothing_back() {
    let pair = Pair::start().await;
    let user = new_user();
    pair.here.write(user, "a", "old").await;
    pair.there.read(user, "a").await;
    pair.here.write(user, "a", "new").await;
    let redis = &pair.here.client.as_ref().expect("a client").redis;
    let tag = format!("aco:cache:tag:{user}");
    redis.query::<()>(&Cmd::del(&tag)).await.expect("a key removed");
    assert_eq!(pair.here.read(user, "a").await.as_deref(), Some("new"));
    pair.close().await;
}

#[tokio::test]
async fn a_new_instance_believes_nothing_from_before_it() {
    let (origin, server) = (Arc::new(Origin::default()), RedisServer::start().await);
    let user = new_user();
    let first = Instance::new(&origin, Some(&server), false);
    first.serves_from_redis().await;
    first.write(user, "a", "old").await;
    first.read(user, "a").await;
    first.close().await;
    // A process that was killed between its change and telling of it.
    origin.set(user, "a", "new");
    let second = Instance::new(&origin, Some(&server), false);
    second.serves_from_redis().await;
    assert_eq!(second.read(user, "a").await.as_deref(), Some("new"));
    second.close().await;
}
