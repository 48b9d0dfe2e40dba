//! Caches over one origin, as instances of the service have them over one store.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ai_chat_orchestrator::models::ids::UserId;
use ai_chat_orchestrator::services::cache::{Area, Cache, CacheParts, Namespace};
use ai_chat_orchestrator::utils::clock::Clock;
use ai_chat_orchestrator::utils::metrics::Metrics;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::redis::{RedisClient, RedisServer};
use crate::support::time::{eventually, within};
use crate::support::token;

/// Longer than a test.
pub const LONG: Duration = Duration::from_secs(600);

/// Texts by name.
pub struct Texts(pub Duration);

impl Namespace for Texts {
    type Key = String;
    type Value = String;
    const NAME: &'static str = "texts";
    const VERSION: u8 = 1;

    fn ttl(&self) -> Duration {
        self.0
    }
}

/// A user whom nothing has seen before.
pub fn new_user() -> UserId {
    UserId(token::new_uuid())
}

/// What is cached, as it really is.
#[derive(Default)]
pub struct Origin {
    texts: Mutex<HashMap<(UserId, String), String>>,
    loads: AtomicUsize,
}

impl Origin {
    /// Changes a text, without telling any cache.
    pub fn set(&self, user: UserId, name: &str, text: &str) {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.insert((user, name.to_owned()), text.to_owned());
    }

    /// Reads a text.
    pub fn load(&self, user: UserId, name: &str) -> Option<String> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.get(&(user, name.to_owned())).cloned()
    }

    /// How often it was read.
    pub fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }
}

/// An instance's cache with its background work.
pub struct Instance {
    /// The cache.
    pub cache: Cache,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// Its client, if it has Redis.
    pub client: Option<RedisClient>,
    origin: Arc<Origin>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Instance {
    /// An instance with little room.
    pub fn new(origin: &Arc<Origin>, redis: Option<&RedisServer>, is_alone: bool) -> Self {
        let limit = [("REDIS_TIMEOUT_MS", "500")];
        let client = redis.map(|server| RedisClient::with(&server.url(), &limit));
        let metrics = Arc::new(Metrics::new(0).expect("families"));
        let cache = Cache::new(CacheParts {
            redis: client.as_ref().map(|client| client.redis.clone()),
            is_alone,
            max_entries: 200,
            metrics: metrics.clone(),
            clock: Clock::system(),
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        if let Some(work) = cache.background(&stop) {
            tasks.spawn(work);
        }
        Self {
            cache,
            metrics,
            client,
            origin: origin.clone(),
            stop,
            tasks,
        }
    }

    /// Reads a text through the cache.
    pub async fn read(&self, user: UserId, name: &str) -> Option<String> {
        self.read_for(LONG, user, name).await
    }

    /// Reads a text through the cache, which may keep it for so long.
    pub async fn read_for(&self, ttl: Duration, user: UserId, name: &str) -> Option<String> {
        let load = || async { Ok::<_, Infallible>(self.origin.load(user, name)) };
        let (namespace, key) = (Texts(ttl), name.to_owned());
        let read = self.cache.get_or_load(&namespace, user, &key, load);
        within("a text", read)
            .await
            .unwrap_or_else(|never| match never {})
    }

    /// Changes a text, as a write of this instance does.
    pub async fn write(&self, user: UserId, name: &str, text: &str) {
        self.origin.set(user, name, text);
        within(
            "an invalidation",
            self.cache.invalidate(user, Area::Conversations),
        )
        .await;
    }

    /// Waits until Redis is served from.
    pub async fn serves_from_redis(&self) {
        let user = new_user();
        eventually("Redis to be served from", async || {
            self.read(user, "nothing").await;
            (self.asked_redis() > 0).then_some(())
        })
        .await;
    }

    /// How often Redis was asked and answered.
    pub fn asked_redis(&self) -> u64 {
        ["hit", "miss"]
            .map(|result| self.count("redis", result))
            .iter()
            .sum()
    }

    /// How often looking up ended so.
    pub fn count(&self, backend: &str, result: &str) -> u64 {
        let labels = ["get", "texts", backend, result];
        self.metrics.cache_operations.with_label_values(&labels).get()
    }

    /// Stops the background work and waits for its end.
    pub async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        within("the cache's background work", self.tasks.wait()).await;
        if let Some(client) = self.client {
            client.close().await;
        }
    }
}

/// Two instances with one Redis, which they serve from.
pub struct Pair {
    pub origin: Arc<Origin>,
    pub server: RedisServer,
    pub here: Instance,
    pub there: Instance,
}

impl Pair {
    /// Two instances that have just started.
    pub async fn start() -> Self {
        let (origin, server) = (Arc::new(Origin::default()), RedisServer::start().await);
        let [here, there] = [(); 2].map(|()| Instance::new(&origin, Some(&server), false));
        here.serves_from_redis().await;
        there.serves_from_redis().await;
        Self {
            origin,
            server,
            here,
            there,
        }
    }

    /// Stops both.
    pub async fn close(self) {
        self.here.close().await;
        self.there.close().await;
    }
}
