//! Commands, pipelines and scripts of a Redis that works.

use ai_chat_orchestrator::services::redis::RedisFailure;
use redis::{Cmd, Script};

use crate::support::redis::{RedisClient, RedisServer};

#[tokio::test]
async fn commands_pipelines_and_scripts_are_answered() {
    let server = RedisServer::start().await;
    let client = RedisClient::up(&server.url()).await;
    let redis = &client.redis;
    redis.query::<()>(&Cmd::set("a", "1")).await.expect("a command");
    let mut pipeline = redis::pipe();
    pipeline.incr("a", 1).set("b", "x").ignore().get("b");
    let (a, b): (i64, String) = redis.bulk().query_all(&pipeline).await.expect("a pipeline");
    assert_eq!((a, b.as_str()), (2, "x"));
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for expected in [12, 22] {
        let total: i64 = redis.run(script.key("a").arg(10)).await.expect("a script");
        assert_eq!(total, expected);
    }
    let counted = |operation| {
        let labels = ["redis", operation, "ok"];
        client.metrics.upstream_requests.with_label_values(&labels).get()
    };
    assert_eq!(
        (counted("set"), counted("pipeline"), counted("script")),
        (1, 1, 2)
    );
    client.close().await;
}

#[tokio::test]
async fn a_refusal_is_no_outage() {
    let server = RedisServer::start().await;
    let client = RedisClient::up(&server.url()).await;
    let redis = &client.redis;
    redis
        .query::<()>(&Cmd::set("text", "secret"))
        .await
        .expect("a command");
    for _ in 0..10 {
        let refused = redis.query::<i64>(&Cmd::lpush("text", 1)).await;
        assert_eq!(refused, Err(RedisFailure::Refused("WRONGTYPE".to_owned())));
        let pipeline = redis::pipe().get("text").lpush("text", 1).clone();
        let refused = redis.query_all::<(String, i64)>(&pipeline).await;
        assert_eq!(refused, Err(RedisFailure::Refused("WRONGTYPE".to_owned())));
        let other_type = redis.query::<i64>(&Cmd::get("text")).await;
        assert_eq!(other_type, Err(RedisFailure::Unexpected));
    }
    redis
        .query::<()>(&Cmd::get("text"))
        .await
        .expect("the same connection");
    assert_eq!(client.losses(), 0);
    client.close().await;
}

#[tokio::test]
async fn the_password_may_stand_beside_the_url() {
    let server = RedisServer::start_with(&["--requirepass", "sesame"]).await;
    let client = RedisClient::with(&server.url(), &[("REDIS_PASSWORD", "sesame")]);
    client.is_up().await;
    client.close().await;

    let client = RedisClient::with(&server.url(), &[("REDIS_PASSWORD", "guessed")]);
    assert_eq!(
        client.redis.query::<()>(&Cmd::get("a")).await,
        Err(RedisFailure::Down)
    );
    client.close().await;
}
