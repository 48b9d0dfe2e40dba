//! What the service caches, over HTTP.

use serde_json::{Value, json};

use crate::support::redis::RedisServer;
use crate::support::tree::items;
use crate::support::{Client, MODEL, Store, TestServer, Tree, eventually, on_each_store};

on_each_store! {
    every_change_shows_at_once,
    what_is_cached_is_what_was_stored,
    a_frozen_redis_goes_unnoticed,
}

/// What `cache_operations_total` counts under these labels.
async fn counted(server: &TestServer, labels: &str) -> u64 {
    let text = server.anonymous().get("/metrics").await.text();
    let name = format!("cache_operations_total{{{labels}}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&*name));
    line.map_or(0, |count| count.parse().expect("a count"))
}

async fn with_redis(store: Store) -> (RedisServer, TestServer, Client) {
    let redis = RedisServer::start().await;
    let settings = [("REDIS_URL", &*redis.url()), ("REDIS_TIMEOUT_MS", "500")];
    let server = TestServer::on_with(store, settings).await;
    eventually("Redis to be served from", async || {
        // Of somebody new each time, since what this process keeps is not looked up in Redis.
        server.user().get("/v1/conversations").await;
        let put = r#"backend="redis",namespace="conversations",operation="set",result="ok""#;
        (counted(&server, put).await > 0).then_some(())
    })
    .await;
    let user = server.user();
    (redis, server, user)
}

async fn titles(user: &Client) -> Vec<Value> {
    let page = user.get("/v1/conversations").await.data(200);
    items(&page).iter().map(|item| item["title"].clone()).collect()
}

async fn every_change_shows_at_once(store: Store) {
    let (_redis, _server, user) = with_redis(store).await;
    assert_eq!(titles(&user).await, [] as [Value; 0]);
    let tree = Tree::of(&user, &json!({"title": "One", "model": MODEL})).await;
    assert_eq!(titles(&user).await, ["One"]);
    tree.patch("", &json!({"title": "Two"})).await.data(200);
    assert_eq!(titles(&user).await, ["Two"]);
    let count = async || tree.get("").await.data(200)["message_count"].clone();
    assert_eq!(count().await, 0);
    tree.add([("user", "Hi")]).await;
    assert_eq!(count().await, 1);
    tree.chat("Hello").await;
    assert_eq!(count().await, 3);
    tree.delete("").await.data(200);
    assert_eq!(titles(&user).await, [] as [Value; 0]);
    tree.get("").await.error(404, "CONVERSATION_NOT_FOUND");
}

async fn what_is_cached_is_what_was_stored(store: Store) {
    let (_redis, server, user) = with_redis(store).await;
    let tree = Tree::eventful(&user).await;
    let hits = async || {
        let memory = r#"backend="memory",namespace="conversation",operation="get",result="hit""#;
        let redis = r#"backend="redis",namespace="conversation",operation="get",result="hit""#;
        counted(&server, memory).await + counted(&server, redis).await
    };
    let (stored, before) = (tree.get("").await.text(), hits().await);
    let cached = tree.get("").await.text();
    assert_eq!(hits().await, before + 1);
    let data = |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["data"].clone();
    assert_eq!(data(&stored), data(&cached));
    assert_eq!(data(&cached)["metadata"], json!({"colour": "red", "n": 1.5}));
}

async fn a_frozen_redis_goes_unnoticed(store: Store) {
    let (redis, _server, user) = with_redis(store).await;
    redis.pause();
    for title in ["One", "Two", "Three"] {
        Tree::of(&user, &json!({"title": title})).await;
    }
    assert_eq!(titles(&user).await.len(), 3);
    redis.resume();
    assert_eq!(titles(&user).await.len(), 3);
}
