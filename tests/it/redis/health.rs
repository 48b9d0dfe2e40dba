//! What a server tells of its Redis.

use crate::support::redis::RedisServer;
use crate::support::{TestServer, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_of_redis_and_readiness_does_not_depend_on_it() {
    let redis = RedisServer::start().await;
    let server = TestServer::with([("REDIS_URL", &redis.url()), ("HEALTH_CHECK_INTERVAL", "0.05")]).await;
    let stranger = server.anonymous();
    let becomes = async |status: &str, cache: &str| {
        eventually("health to change", async || {
            let answer = stranger.get("/health").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let health = answer.json();
            let as_expected = health["status"] == status && health["services"]["cache"]["status"] == cache;
            as_expected.then_some(health)
        })
        .await
    };
    let health = becomes("healthy", "healthy").await;
    assert_eq!(health["services"]["cache"]["detail"], "redis");
    redis.pause();
    becomes("degraded", "unhealthy").await;
    assert_eq!(stranger.get("/ready").await.status, 200);
    redis.resume();
    becomes("healthy", "healthy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_cache_is_in_memory() {
    let server = TestServer::start().await;
    let health = server.anonymous().get("/health").await.json();
    assert_eq!(health["services"]["cache"]["detail"], "memory");
}
