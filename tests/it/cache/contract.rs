//! Promises that hold with and without Redis.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::instances::{Instance, LONG, Origin, Texts, new_user};
use crate::support::redis::RedisServer;
use crate::support::time::{eventually, pass, within};

/// Stamps each promise onto every backend.
macro_rules! promises {
    ($($promise:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $promise() {
                let origin = std::sync::Arc::default();
                let instance = super::Instance::new(&origin, None, true);
                super::$promise(&instance, &origin).await;
                instance.close().await;
            })+
        }

        mod redis {
            $(#[tokio::test]
            async fn $promise() {
                let (origin, server) = (std::sync::Arc::default(), super::RedisServer::start().await);
                let instance = super::Instance::new(&origin, Some(&server), false);
                instance.serves_from_redis().await;
                super::$promise(&instance, &origin).await;
                instance.close().await;
            })+
        }

        mod redis_that_returned {
            $(#[tokio::test]
            async fn $promise() {
                let (origin, mut server) = (std::sync::Arc::default(), super::RedisServer::start().await);
                let instance = super::Instance::new(&origin, Some(&server), false);
                instance.serves_from_redis().await;
                super::lose_and_find(&instance, &mut server).await;
                super::$promise(&instance, &origin).await;
                instance.close().await;
            })+
        }
    };
}

promises! {
    one_loads_for_a_hundred,
    a_value_is_kept_until_its_time_is_up,
    a_change_shows_at_once,
    a_load_that_races_a_change_is_not_kept,
    nobody_gets_what_is_another_users,
    what_is_not_found_is_not_kept,
    what_is_too_large_is_not_kept,
    the_number_of_entries_is_bounded,
}

/// Redis ends, comes back empty, and is served from again.
async fn lose_and_find(instance: &Instance, server: &mut RedisServer) {
    let client = instance.client.as_ref().expect("a client of Redis");
    server.kill();
    client.is_down().await;
    server.restart().await;
    client.is_up().await;
    let (before, user) = (instance.asked_redis(), new_user());
    eventually("Redis to be served from again", async || {
        instance.read(user, "nothing").await;
        (instance.asked_redis() > before).then_some(())
    })
    .await;
}

async fn one_loads_for_a_hundred(instance: &Instance, origin: &Arc<Origin>) {
    let (user, gate, loads) = (new_user(), Semaphore::new(0), AtomicUsize::new(0));
    origin.set(user, "a", "one");
    let load = || async {
        loads.fetch_add(1, Ordering::SeqCst);
        gate.acquire().await.expect("an open gate").forget();
        Ok::<_, Infallible>(Some("one".to_owned()))
    };
    let (namespace, key) = (Texts(LONG), "a".to_owned());
    let reads = join_all((0..100).map(|_| instance.cache.get_or_load(&namespace, user, &key, load)));
    let release = async {
        eventually("the load to begin", async || {
            (loads.load(Ordering::SeqCst) > 0).then_some(())
        })
        .await;
        gate.add_permits(100);
    };
    let (texts, ()) = within("a hundred reads", async { tokio::join!(reads, release) }).await;
    assert!(texts.iter().all(|text| *text == Ok(Some("one".to_owned()))));
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

async fn a_value_is_kept_until_its_time_is_up(instance: &Instance, origin: &Arc<Origin>) {
    let (user, ttl) = (new_user(), Duration::from_secs(1));
    origin.set(user, "a", "one");
    assert_eq!(instance.read_for(ttl, user, "a").await.as_deref(), Some("one"));
    origin.set(user, "a", "two");
    assert_eq!(instance.read_for(ttl, user, "a").await.as_deref(), Some("one"));
    pass(ttl.mul_f64(1.15)).await;
    assert_eq!(instance.read_for(ttl, user, "a").await.as_deref(), Some("two"));
}

async fn a_change_shows_at_once(instance: &Instance, origin: &Arc<Origin>) {
    let user = new_user();
    for text in ["one", "two", "three"] {
        instance.write(user, "a", text).await;
        let before = origin.loads();
        for _ in 0..3 {
            assert_eq!(instance.read(user, "a").await.as_deref(), Some(text));
        }
        let loads = origin.loads() - before;
        assert!(loads <= 2, "{loads} loads of three reads");
    }
}

async fn a_load_that_races_a_change_is_not_kept(instance: &Instance, origin: &Arc<Origin>) {
    let (user, key, namespace) = (new_user(), "a".to_owned(), Texts(LONG));
    origin.set(user, "a", "old");
    let (loaded, goes_on) = (Semaphore::new(0), Semaphore::new(0));
    let load = || async {
        let text = origin.load(user, "a");
        loaded.add_permits(1);
        goes_on.acquire().await.expect("an open gate").forget();
        Ok::<_, Infallible>(text)
    };
    let read = instance.cache.get_or_load(&namespace, user, &key, load);
    let change = async {
        loaded.acquire().await.expect("an open gate").forget();
        instance.write(user, "a", "new").await;
        goes_on.add_permits(1);
    };
    let (old, ()) = within("a read and a change", async { tokio::join!(read, change) }).await;
    assert_eq!(
        old,
        Ok(Some("old".to_owned())),
        "it was asked for before the change"
    );
    assert_eq!(instance.read(user, "a").await.as_deref(), Some("new"));
}

async fn nobody_gets_what_is_another_users(instance: &Instance, origin: &Arc<Origin>) {
    let users: Vec<_> = (0..20).map(|_| new_user()).collect();
    for user in &users {
        origin.set(*user, "a", &user.to_string());
    }
    for _ in 0..2 {
        for user in &users {
            assert_eq!(instance.read(*user, "a").await, Some(user.to_string()));
        }
    }
    let texts: HashSet<_> = join_all(users.iter().map(|user| instance.read(*user, "a")))
        .await
        .into_iter()
        .collect();
    assert_eq!(texts.len(), users.len());
}

async fn what_is_not_found_is_not_kept(instance: &Instance, origin: &Arc<Origin>) {
    let user = new_user();
    assert_eq!(instance.read(user, "a").await, None);
    origin.set(user, "a", "made elsewhere");
    assert_eq!(instance.read(user, "a").await.as_deref(), Some("made elsewhere"));
    let (namespace, key) = (Texts(LONG), "b".to_owned());
    let failing = || async { Err::<Option<String>, _>("broken") };
    let failed = instance.cache.get_or_load(&namespace, user, &key, failing).await;
    assert_eq!(failed, Err("broken"));
    origin.set(user, "b", "works");
    assert_eq!(instance.read(user, "b").await.as_deref(), Some("works"));
}

async fn what_is_too_large_is_not_kept(instance: &Instance, origin: &Arc<Origin>) {
    let (user, large) = (new_user(), "x".repeat(1 << 20));
    origin.set(user, "a", &large);
    let before = origin.loads();
    for _ in 0..2 {
        assert_eq!(instance.read(user, "a").await.as_deref(), Some(&*large));
    }
    assert_eq!(origin.loads() - before, 2);
}

async fn the_number_of_entries_is_bounded(instance: &Instance, origin: &Arc<Origin>) {
    let user = new_user();
    for n in 0..1_000 {
        let name = n.to_string();
        origin.set(user, &name, &name);
        assert_eq!(instance.read(user, &name).await, Some(name));
    }
    eventually("the surplus to go", async || {
        instance.read(user, "0").await;
        (instance.cache.entries() <= 200).then_some(())
    })
    .await;
}
