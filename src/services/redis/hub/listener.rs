//! The connection that messages come over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use redis::{Msg, RedisResult, Value};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Hub, Notice};
use crate::services::redis::client::Redis;
use crate::services::redis::keeper::CONNECT_WITHIN;
use crate::services::redis::{RedisFailure, backoff};

/// Between pings. A peer that is frozen or cut off closes nothing: only silence tells.
const PING_EVERY: Duration = Duration::from_millis(300);

/// For the reply to a ping, or to joining and leaving channels; `REDIS_TIMEOUT_MS` where that is longer.
const REPLY_WITHIN: Duration = Duration::from_millis(500);

/// Listens until `stop` is cancelled.
pub(in crate::services::redis) async fn run(redis: Redis, stop: CancellationToken) {
    let mut availability = redis.availability();
    let listen = async {
        let mut attempt = 0;
        // The sender lives as long as `redis`.
        while let Ok(losses) = availability
            .wait_for(|now| now.is_up())
            .await
            .map(|now| now.losses())
        {
            match connect(&redis).await {
                Ok(connection) => {
                    attempt = 0;
                    let failure = tokio::select! {
                        failure = Listener::new(&redis, connection).listen() => failure,
                        // Commands may go to another server from now on: messages have to come from that one, too.
                        _ = availability.wait_for(|now| now.losses() != losses) => RedisFailure::Down,
                    };
                    tracing::warn!(%failure, "publish/subscribe is interrupted");
                }
                Err(failure) => tracing::debug!(%failure, "publish/subscribe cannot be connected"),
            }
            sleep(backoff(attempt, redis.shared.quick_attempts)).await;
            attempt = attempt.saturating_add(1);
        }
    };
    stop.run_until_cancelled(listen).await;
}

async fn connect(redis: &Redis) -> Result<PubSub, RedisFailure> {
    let connection = timeout(CONNECT_WITHIN, redis.shared.server.get_async_pubsub()).await;
    Ok(connection.map_err(|_| RedisFailure::TimedOut)??)
}

/// One connection, until it fails.
struct Listener {
    hub: Hub,
    limit: Duration,
    requests: PubSubSink,
    messages: PubSubStream,
    joined: HashSet<Arc<str>>,
}

impl Listener {
    fn new(redis: &Redis, connection: PubSub) -> Self {
        let (requests, messages) = connection.split();
        let hub = redis.shared.hub.clone();
        let mut channels = hub.lock();
        channels.changed = channels.wanted.keys().cloned().collect();
        drop(channels);
        Self {
            hub,
            limit: redis.shared.limit.max(REPLY_WITHIN),
            requests,
            messages,
            joined: HashSet::new(),
        }
    }

    /// Hands out what comes; returns why it cannot go on.
    async fn listen(mut self) -> RedisFailure {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Before the first ping: what was heard is to count for every channel.
            if let Err(failure) = self.join_and_leave().await {
                return failure;
            }
            tokio::select! {
                message = self.messages.next() => match message {
                    Some(message) => self.deliver(&message),
                    None => return RedisFailure::Broken("closed".to_owned()),
                },
                () = self.hub.0.changed.notified() => {}
                _ = pings.tick() => if let Err(failure) = self.ping().await {
                    return failure;
                },
            }
        }
    }

    async fn join_and_leave(&mut self) -> Result<(), RedisFailure> {
        let (join, leave) = self.hub.lock().take_changes(&self.joined);
        if !leave.is_empty() {
            within(self.limit, self.requests.unsubscribe(names(&leave))).await?;
            for channel in &leave {
                self.joined.remove(channel);
            }
        }
        if !join.is_empty() {
            within(self.limit, self.requests.subscribe(names(&join))).await?;
            for channel in &join {
                self.hub.tell(channel, Notice::Resync);
            }
            self.joined.extend(join);
        }
        Ok(())
    }

    /// The reply comes after everything that was published before the ping was sent.
    async fn ping(&mut self) -> Result<(), RedisFailure> {
        let sent = Instant::now();
        within(self.limit, self.requests.ping::<Value>()).await?;
        while let Some(Some(message)) = self.messages.next().now_or_never() {
            self.deliver(&message);
        }
        self.hub.0.heard.send_replace(Some(sent));
        Ok(())
    }

    fn deliver(&self, message: &Msg) {
        let payload = Bytes::copy_from_slice(message.get_payload_bytes());
        self.hub
            .tell(message.get_channel_name(), Notice::Message(payload));
    }
}

fn names(channels: &[Arc<str>]) -> Vec<&str> {
    channels.iter().map(AsRef::as_ref).collect()
}

async fn within<T>(limit: Duration, reply: impl Future<Output = RedisResult<T>>) -> Result<T, RedisFailure> {
    let reply = timeout(limit, reply).await;
    Ok(reply.map_err(|_| RedisFailure::TimedOut)??)
}
