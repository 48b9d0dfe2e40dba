//! Two instances that share a Redis, and what they do without it.

use std::time::{Duration, Instant};

use super::{ROUTE, SLOW, standing};
use crate::support::redis::RedisServer;
use crate::support::{Answer, Client, TestServer, eventually};

/// Two instances, each with a database of its own, which makes no difference here.
async fn two_instances(redis: &RedisServer) -> [TestServer; 2] {
    let servers = [instance(redis, "2000").await, instance(redis, "2000").await];
    for server in &servers {
        until_redis_is(server, true).await;
    }
    servers
}

async fn instance(redis: &RedisServer, timeout_ms: &str) -> TestServer {
    let url = redis.url();
    let [enabled, rate, burst] = SLOW;
    let changes = [
        enabled,
        rate,
        burst,
        ("REDIS_URL", url.as_str()),
        ("REDIS_TIMEOUT_MS", timeout_ms),
    ];
    TestServer::with(changes).await
}

async fn until_redis_is(server: &TestServer, up: bool) {
    let sample = format!("\ncache_backend_up{{backend=\"redis\"}} {}\n", u8::from(up));
    eventually("the instance to notice", async || {
        let metrics = server.anonymous().get("/metrics").await.text();
        metrics.contains(&sample).then_some(())
    })
    .await;
}

/// How many requests the user is let send at these instances in turn.
async fn allowed(user: &Client, servers: &[&TestServer]) -> usize {
    for (count, server) in servers.iter().cycle().enumerate() {
        let answer = user.at(server.base()).get(ROUTE).await;
        if answer.status == 429 {
            answer.error(429, "RATE_LIMIT_EXCEEDED");
            return count;
        }
        assert_eq!(answer.status, 200);
    }
    unreachable!("servers without an end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_limit_is_one_for_all_instances() {
    let redis = RedisServer::start().await;
    let [one, two] = two_instances(&redis).await;
    let user = one.user();
    let first = user.get(ROUTE).await;
    let second = user.at(two.base()).get(ROUTE).await;
    assert_eq!(standing(&first), ["3", "2", "60"]);
    assert_eq!(standing(&second), ["3", "1", "120"]);
    assert_eq!(allowed(&user, &[&one, &two]).await, 1);
    for server in [&one, &two] {
        let refused = user.at(server.base()).get(ROUTE).await;
        refused.error(429, "RATE_LIMIT_EXCEEDED");
        let wait: u64 = refused.header("retry-after").parse().expect("whole seconds");
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(allowed(&one.user(), &[&one, &two]).await, 3, "another user");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_authentications_count_for_all_instances() {
    let redis = RedisServer::start().await;
    let [one, two] = two_instances(&redis).await;
    let guess = async |server: &TestServer| {
        let guesser = server.anonymous().with_token("not.a.token");
        Answer::to(guesser.request(reqwest::Method::GET, ROUTE))
            .await
            .status
    };
    for _ in 0..15 {
        assert_eq!(guess(&one).await, 401);
        assert_eq!(guess(&two).await, 401);
    }
    for server in [&one, &two] {
        eventually("a refusal", async || (guess(server).await == 429).then_some(())).await;
        assert_eq!(
            server.user().get(ROUTE).await.status,
            200,
            "a right token is let in"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_instance_counts_for_itself() {
    let mut redis = RedisServer::start().await;
    let [one, two] = two_instances(&redis).await;
    let user = one.user();
    assert_eq!(allowed(&user, &[&one, &two]).await, 3);
    redis.kill();
    for server in [&one, &two] {
        until_redis_is(server, false).await;
        assert_eq!(allowed(&user, &[server]).await, 3, "nothing was counted twice");
    }

    redis.restart().await;
    for server in [&one, &two] {
        until_redis_is(server, true).await;
    }
    assert_eq!(allowed(&one.user(), &[&one, &two]).await, 3, "shared again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_holds_nobody_up() {
    let redis = RedisServer::start().await;
    let server = instance(&redis, "200").await;
    until_redis_is(&server, true).await;
    redis.pause();
    let started = Instant::now();
    assert_eq!(allowed(&server.user(), &[&server]).await, 3);
    // Four decisions, each with the time of one operation at most; and two seconds for everything else.
    let took = started.elapsed();
    assert!(took < Duration::from_millis(2800), "{took:?}");
    redis.resume();
}
