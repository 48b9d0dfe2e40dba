//! Publish/subscribe between two clients, through interruptions.

use std::time::Duration;

use ai_chat_orchestrator::services::redis::{Notice, Subscription};
use redis::Cmd;

use crate::support::redis::{RedisClient, RedisServer};
use crate::support::time::{eventually, within};

const CHANNEL: &str = "aco:test";

/// Longer than it takes to find that nothing is heard any more.
const SILENCE: Duration = Duration::from_secs(3);

/// Waits until the subscription is told to look for itself.
async fn resync(subscription: &mut Subscription) {
    within("a resync", async {
        while subscription.next().await != Notice::Resync {}
    })
    .await;
}

/// Waits for a message, resyncs aside.
async fn message(subscription: &mut Subscription) -> Vec<u8> {
    within("a message", async {
        loop {
            if let Notice::Message(payload) = subscription.next().await {
                return payload.to_vec();
            }
        }
    })
    .await
}

#[tokio::test]
async fn messages_reach_every_subscription_in_order() {
    let server = RedisServer::start().await;
    let (here, there) = (
        RedisClient::up(&server.url()).await,
        RedisClient::up(&server.url()).await,
    );
    let mut first = here.redis.subscribe(CHANNEL, 16);
    resync(&mut first).await;
    let mut second = here.redis.subscribe(CHANNEL, 16);
    for payload in [&b"one"[..], b"two"] {
        there
            .redis
            .publish(CHANNEL, payload)
            .await
            .expect("a message sent");
    }
    for subscription in [&mut first, &mut second] {
        assert_eq!(message(subscription).await, b"one");
        assert_eq!(message(subscription).await, b"two");
    }
    here.close().await;
    there.close().await;
}

#[tokio::test]
async fn a_subscription_survives_a_restart_and_is_told() {
    let mut server = RedisServer::start().await;
    let client = RedisClient::up(&server.url()).await;
    let mut subscription = client.redis.subscribe(CHANNEL, 16);
    resync(&mut subscription).await;
    server.kill();
    client.is_down().await;
    server.restart().await;
    resync(&mut subscription).await;
    client
        .redis
        .publish(CHANNEL, b"after")
        .await
        .expect("a message sent");
    assert_eq!(message(&mut subscription).await, b"after");
    client.close().await;
}

#[tokio::test]
async fn silence_shows_and_ends() {
    let server = RedisServer::start().await;
    let client = RedisClient::with(&server.url(), &[("REDIS_TIMEOUT_MS", "500")]);
    let mut subscription = client.redis.subscribe(CHANNEL, 16);
    resync(&mut subscription).await;
    let mut heard = client.redis.heard();
    let is_silent = || {
        let heard = *client.redis.heard().borrow();
        heard.is_none_or(|at| at.elapsed() > SILENCE)
    };
    within("the first ping", heard.wait_for(Option::is_some))
        .await
        .expect("a client");
    server.pause();
    eventually("silence to show", async || is_silent().then_some(())).await;
    server.resume();
    resync(&mut subscription).await;
    eventually("it to be heard again", async || (!is_silent()).then_some(())).await;
    client.close().await;
}

#[tokio::test]
async fn a_channel_is_left_with_its_last_subscription() {
    let server = RedisServer::start().await;
    let client = RedisClient::up(&server.url()).await;
    let readers = async || {
        let command = redis::cmd("PUBSUB").arg("NUMSUB").arg(CHANNEL).clone();
        let (_, readers): (String, u64) = client.redis.query(&command).await.expect("a count");
        readers
    };
    let (mut first, second) = (
        client.redis.subscribe(CHANNEL, 16),
        client.redis.subscribe(CHANNEL, 16),
    );
    resync(&mut first).await;
    drop(second);
    assert_eq!(readers().await, 1);
    drop(first);
    eventually("the channel to be left", async || {
        (readers().await == 0).then_some(())
    })
    .await;
    client.redis.query::<()>(&Cmd::ping()).await.expect("a command");
    client.close().await;
}
