//! Asking Redis.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, Cmd, FromRedisValue, IntoConnectionInfo, Pipeline, RedisResult, ScriptInvocation};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, error::Elapsed, timeout};
use tokio_util::sync::CancellationToken;

use super::hub::{Hub, Subscription};
use super::link::{Lane, Link};
use super::{Availability, PREFIX, RedisFailure, UPSTREAM, hub, keeper};
use crate::config::CacheSettings;
use crate::models::ids::UserId;
use crate::utils::breaker::BreakerState;
use crate::utils::metrics::Metrics;

/// Seconds for which the key of the heartbeats stays after the last one.
const HEARTBEAT_TTL: u32 = 60;

/// Keys that Redis goes through in one exchange: less than a millisecond.
const SCANNED_AT_ONCE: u32 = 1_000;

/// `REDIS_URL` is none that can be connected to.
#[derive(Debug, thiserror::Error)]
#[error("REDIS_URL cannot be used")]
pub struct RedisUrlError;

/// The client of Redis. Cheap to clone; made even while Redis is down.
///
/// Cancelling a request is harmless: Redis may do it all the same, and the connection goes on with the next.
#[derive(Clone)]
pub struct Redis {
    pub(super) shared: Arc<Shared>,
    lane: Lane,
}

pub(super) struct Shared {
    pub(super) server: Client,
    /// `REDIS_TIMEOUT_MS`.
    pub(super) limit: Duration,
    /// `REDIS_RETRY_ATTEMPTS`.
    pub(super) quick_attempts: u32,
    pub(super) availability: watch::Sender<Availability>,
    pub(super) hub: Hub,
    /// Wakes the keeper, so that it settles a doubt.
    pub(super) doubts: Notify,
    metrics: Arc<Metrics>,
}

impl Redis {
    /// A client for this server. It is down until its [background work](Self::background) has connected.
    ///
    /// # Errors
    /// If the URL cannot be used. Whether anybody is there makes no difference.
    pub fn new(settings: &CacheSettings, metrics: Arc<Metrics>) -> Result<Self, RedisUrlError> {
        let shared = Shared {
            server: server(&settings.redis_url, settings.redis_password.as_ref())?,
            limit: settings.redis_timeout,
            quick_attempts: settings.redis_retry_attempts,
            availability: watch::Sender::new(Availability::new()),
            hub: Hub::default(),
            doubts: Notify::new(),
            metrics,
        };
        shared.show(BreakerState::Open);
        Ok(Self {
            shared: Arc::new(shared),
            lane: Lane::Short,
        })
    }

    /// The same client, for requests and replies so large that others should not wait behind them: they go through a
    /// connection of their own.
    #[must_use]
    pub fn bulk(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            lane: Lane::Bulk,
        }
    }

    /// The background work, each part to be run until `stop` is cancelled: connecting, and listening to what is
    /// published.
    pub fn background(&self, stop: &CancellationToken) -> [BoxFuture<'static, ()>; 2] {
        let (keeper, listener) = (self.clone(), self.clone());
        let (first, second) = (stop.clone(), stop.clone());
        [
            Box::pin(keeper::run(keeper, first)),
            Box::pin(hub::run(listener, second)),
        ]
    }

    /// Runs a command.
    ///
    /// # Errors
    /// If there is no reply within `REDIS_TIMEOUT_MS`, or none that is a `T`. At once, if Redis is down, or doubted:
    /// another request had no reply in time, and no heartbeat came back since.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisFailure> {
        let mut call = self.call(&operation(command))?;
        let reply = timeout(self.shared.limit, command.query_async(&mut call.connection)).await;
        call.end(reply)
    }

    /// Removes every key that has the id of this user as a part in its middle: entries of the cache, and logs of streams.
    ///
    /// # Errors
    /// As [`query`](Self::query); some may be removed then.
    pub async fn remove_keys_of(&self, user: UserId) -> Result<(), RedisFailure> {
        let pattern = format!("{PREFIX}*:{user}:*");
        let mut place = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(place)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(SCANNED_AT_ONCE);
            let (next, keys): (u64, Vec<String>) = self.query(&scan).await?;
            if !keys.is_empty() {
                self.query::<()>(&Cmd::unlink(keys)).await?;
            }
            if next == 0 {
                return Ok(());
            }
            place = next;
        }
    }

    /// Runs a pipeline, in one exchange.
    ///
    /// # Errors
    /// As [`query`](Self::query); also if any of the commands fails, though others may have been done.
    pub async fn query_all<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, RedisFailure> {
        let mut call = self.call("pipeline")?;
        let reply = timeout(self.shared.limit, pipeline.query_async(&mut call.connection)).await;
        call.end(reply)
    }

    /// Runs a script, which is sent by its hash and loaded where Redis does not know it.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, RedisFailure> {
        let mut call = self.call("script")?;
        let reply = timeout(self.shared.limit, script.invoke_async(&mut call.connection)).await;
        call.end(reply)
    }

    /// Sends a message to whoever [subscribes](Self::subscribe) to the channel, in any instance.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn publish(&self, channel: &str, payload: &[u8]) -> Result<(), RedisFailure> {
        self.query(&Cmd::publish(channel, payload)).await
    }

    /// Subscribes to a channel, at once or as soon as Redis is up. At most `capacity` (at least 1) messages wait for
    /// the reader.
    #[must_use]
    pub fn subscribe(&self, channel: &str, capacity: usize) -> Subscription {
        self.shared.hub.subscribe(channel, capacity)
    }

    /// Up to which moment everything published has been handed to the subscriptions: while the connection for
    /// publish/subscribe works, at most half a second ago. `None` before the first connection.
    #[must_use]
    pub fn heard(&self) -> watch::Receiver<Option<Instant>> {
        self.shared.hub.heard()
    }

    /// Whether Redis is up, now and from now on.
    #[must_use]
    pub fn availability(&self) -> watch::Receiver<Availability> {
        self.shared.availability.subscribe()
    }

    /// Waits until Redis is up, at most so long; tells whether it is.
    pub async fn up_within(&self, limit: Duration) -> bool {
        let mut availability = self.availability();
        timeout(limit, availability.wait_for(Availability::is_up))
            .await
            .is_ok()
    }

    /// Tries each connection of a link, and trusts those that reply. Something is written, since a server that has become a replica answers a PING
    /// as if nothing were wrong; and a refusal is a sign of life, too.
    pub(super) async fn beat(&self, link: &Arc<Link>) -> Result<(), RedisFailure> {
        let mut command = redis::cmd("SET");
        command
            .arg(format!("{PREFIX}heartbeat"))
            .arg(1)
            .arg("EX")
            .arg(HEARTBEAT_TTL);
        for lane in Lane::ALL {
            let mut call = self.call_on(link.clone(), lane, "heartbeat");
            let reply = timeout(self.shared.limit, command.query_async::<()>(&mut call.connection)).await;
            match call.end(reply) {
                Err(failure) if failure.is_outage() => {
                    if link.line(lane).missed_beat() {
                        self.shared.lose(link, &failure);
                    }
                    return Err(failure);
                }
                Ok(()) | Err(_) => link.line(lane).trust(),
            }
        }
        Ok(())
    }

    fn call(&self, operation: &str) -> Result<Call<'_>, RedisFailure> {
        let link = self.shared.availability.borrow().link().cloned();
        let link = link.ok_or(RedisFailure::Down)?;
        // One request has waited in vain; others, of the same caller perhaps, need not.
        if link.line(self.lane).is_doubted() {
            return Err(RedisFailure::Doubted);
        }
        Ok(self.call_on(link, self.lane, operation))
    }

    fn call_on(&self, link: Arc<Link>, lane: Lane, operation: &str) -> Call<'_> {
        Call {
            shared: &self.shared,
            connection: link.line(lane).connection(),
            link,
            lane,
            operation: operation.to_owned(),
            started: Instant::now(),
        }
    }
}

impl Shared {
    /// Hands a link to all who ask.
    pub(super) fn found(&self, link: &Arc<Link>) {
        self.availability.send_modify(|now| now.found(link.clone()));
        self.show(BreakerState::Closed);
    }

    /// Gives a link up, unless that was done before.
    pub(super) fn lose(&self, link: &Arc<Link>, failure: &RedisFailure) {
        if self.availability.send_if_modified(|now| now.lost(link)) {
            self.show(BreakerState::Open);
            tracing::warn!(%failure, "Redis is down");
        }
    }

    /// Shows in the metrics how things are.
    pub(super) fn show(&self, state: BreakerState) {
        let (breaker, up) = (
            &self.metrics.circuit_breaker_state,
            &self.metrics.cache_backend_up,
        );
        breaker.with_label_values(&[UPSTREAM]).set(state.metric());
        up.with_label_values(&[UPSTREAM])
            .set(i64::from(state == BreakerState::Closed));
    }
}

/// A request under way. Dropped without an end, because nobody waits for it any more, it counts neither way.
struct Call<'a> {
    shared: &'a Shared,
    link: Arc<Link>,
    lane: Lane,
    connection: MultiplexedConnection,
    operation: String,
    started: Instant,
}

impl Call<'_> {
    fn end<T>(self, reply: Result<RedisResult<T>, Elapsed>) -> Result<T, RedisFailure> {
        let result = match reply {
            Ok(reply) => reply.map_err(RedisFailure::from),
            Err(Elapsed { .. }) => Err(RedisFailure::TimedOut),
        };
        let failure = result.as_ref().err();
        self.shared.metrics.upstream_call(
            UPSTREAM,
            &self.operation,
            failure.map_or("ok", RedisFailure::label),
            self.started.elapsed(),
        );
        match failure {
            Some(failure) if failure.is_outage() => self.failed(failure),
            _ => self.link.line(self.lane).succeeded(),
        }
        result
    }

    fn failed(&self, failure: &RedisFailure) {
        tracing::debug!(operation = self.operation, %failure, "Redis failed");
        self.link.doubt(self.lane);
        self.shared.doubts.notify_one();
        if matches!(failure, RedisFailure::Broken(_)) {
            self.shared.lose(&self.link, failure);
        }
    }
}

/// The name of a command: commands are written in the code, so that there are few.
fn operation(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => String::from_utf8_lossy(name).to_ascii_lowercase(),
        _ => String::new(),
    }
}

fn server(url: &SecretString, password: Option<&SecretString>) -> Result<Client, RedisUrlError> {
    let info = url
        .expose_secret()
        .into_connection_info()
        .map_err(|_| RedisUrlError)?;
    let mut login = info.redis_settings().clone();
    if let (None, Some(password)) = (login.password(), password) {
        login = login.set_password(password.expose_secret());
    }
    // Requests are small and waited for: each is to be sent at once.
    let tcp = TcpSettings::default().set_nodelay(true);
    Client::open(info.set_redis_settings(login).set_tcp_settings(tcp)).map_err(|_| RedisUrlError)
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("lane", &self.lane)
            .finish_non_exhaustive()
    }
}
