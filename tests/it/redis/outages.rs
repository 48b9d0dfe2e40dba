//! What becomes of requests while Redis is frozen, gone, or new and empty.

use std::time::{Duration, Instant};

use ai_chat_orchestrator::services::redis::RedisFailure;
use redis::{Cmd, Script};

use crate::support::eventually;
use crate::support::process::free_port;
use crate::support::redis::{RedisClient, RedisServer, url_on};

#[tokio::test]
async fn a_frozen_server_costs_the_time_limit_once_and_then_nothing() {
    let server = RedisServer::start().await;
    let client = RedisClient::with(&server.url(), &[("REDIS_TIMEOUT_MS", "200")]);
    client.is_up().await;
    server.pause();
    let started = Instant::now();
    let ask = async || client.redis.query::<()>(&Cmd::get("a")).await;
    assert_eq!(ask().await, Err(RedisFailure::TimedOut));
    assert!(started.elapsed() >= Duration::from_millis(200));
    let started = Instant::now();
    for _ in 0..100 {
        let failure = ask().await;
        let at_once = [Err(RedisFailure::Doubted), Err(RedisFailure::Down)];
        assert!(at_once.contains(&failure), "{failure:?}");
    }
    assert!(
        started.elapsed() < Duration::from_millis(200),
        "{:?}",
        started.elapsed()
    );

    client.is_down().await;
    server.resume();
    client.is_up().await;
    client.redis.query::<()>(&Cmd::get("a")).await.expect("an answer");
    assert_eq!(client.losses(), 1);
    client.close().await;
}

#[tokio::test]
async fn one_that_is_slow_with_logs_is_asked_for_all_else() {
    let server = RedisServer::start().await;
    let client = RedisClient::with(&server.url(), &[("REDIS_TIMEOUT_MS", "200")]);
    client.is_up().await;
    let bulk = client.redis.bulk();
    // Its reply comes when something is pushed, which nobody does: only this connection waits for it.
    let mut blocking = redis::cmd("BLPOP");
    blocking.arg("nothing").arg(0);
    assert_eq!(bulk.query::<()>(&blocking).await, Err(RedisFailure::TimedOut));
    let failure = bulk.query::<()>(&Cmd::get("a")).await;
    assert_eq!(failure, Err(RedisFailure::Doubted));
    assert_eq!(client.redis.query::<()>(&Cmd::get("a")).await, Ok(()));
    client.close().await;
}

/// Twelve heartbeats wait behind a reply to which a connection for other requests would be given five.
#[tokio::test]
async fn a_reply_of_logs_may_hold_up_heartbeats_for_longer() {
    let server = RedisServer::start().await;
    let client = RedisClient::with(&server.url(), &[("REDIS_TIMEOUT_MS", "100")]);
    client.is_up().await;
    let bulk = client.redis.bulk();
    let mut blocking = redis::cmd("BLPOP");
    blocking.arg("nothing").arg(1.2);
    assert_eq!(bulk.query::<()>(&blocking).await, Err(RedisFailure::TimedOut));
    eventually("the connection to be trusted again", async || {
        bulk.query::<()>(&Cmd::get("a")).await.ok()
    })
    .await;
    assert_eq!(client.losses(), 0, "it was the same connection all the time");
    client.close().await;
}

#[tokio::test]
async fn a_loss_is_found_where_nobody_asks() {
    let server = RedisServer::start().await;
    let client = RedisClient::with(&server.url(), &[("REDIS_TIMEOUT_MS", "100")]);
    client.is_up().await;
    let breaker = || {
        client
            .metrics
            .circuit_breaker_state
            .with_label_values(&["redis"])
            .get()
    };
    let up = || {
        client
            .metrics
            .cache_backend_up
            .with_label_values(&["redis"])
            .get()
    };
    assert_eq!((breaker(), up()), (0, 1));
    server.pause();
    client.is_down().await;
    assert!(breaker() > 0 && up() == 0);
    client.close().await;
}

#[tokio::test]
async fn an_empty_server_is_taken_up_as_it_is() {
    let mut server = RedisServer::start().await;
    let client = RedisClient::up(&server.url()).await;
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    let count = async || client.redis.run::<i64>(&script.key("a")).await;
    assert_eq!(count().await, Ok(1));
    server.kill();
    client.is_down().await;
    assert_eq!(count().await, Err(RedisFailure::Down));
    server.restart().await;
    client.is_up().await;
    assert_eq!(count().await, Ok(1), "the script is loaded again");
    assert_eq!(client.losses(), 1);
    client.close().await;
}

#[tokio::test]
async fn nobody_waits_for_a_server_that_comes_later() {
    let port = free_port();
    let client = RedisClient::of(&url_on(port));
    assert_eq!(
        client.redis.query::<()>(&Cmd::get("a")).await,
        Err(RedisFailure::Down)
    );
    let _server = RedisServer::start_on(port, &[]).await;
    client.is_up().await;
    assert_eq!(client.losses(), 0);
    client.close().await;
}

#[tokio::test]
async fn a_cancelled_request_leaves_the_connection_in_order() {
    let server = RedisServer::start().await;
    let client = RedisClient::up(&server.url()).await;
    client
        .redis
        .query::<()>(&Cmd::set("a", "right"))
        .await
        .expect("a command");
    server.pause();
    let other = Cmd::get("b");
    let abandoned = client.redis.query::<String>(&other);
    let short = tokio::time::timeout(Duration::from_millis(20), abandoned).await;
    assert!(short.is_err(), "it was cancelled");
    server.resume();
    let value = client.redis.query::<String>(&Cmd::get("a")).await;
    assert_eq!(
        value,
        Ok("right".to_owned()),
        "each gets the reply to its own request"
    );
    client.close().await;
}
