//! Looking up, loading, and invalidating.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::future::BoxFuture;
use rand::random_range;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::envelope::{decode, encode};
use super::follower::Follower;
use super::front::{Entry, Front, FrontKey, Trust, front, second};
use super::remote::Remote;
use super::stamps::Stamps;
use super::{Area, Namespace, Owner};
use crate::models::ids::UserId;
use crate::services::redis::Redis;
use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;

/// How far the time that a value is kept may differ from its TTL.
const JITTER: f64 = 0.1;

/// What a cache works with.
pub struct CacheParts {
    /// Where entries are shared with other instances, if anywhere.
    pub redis: Option<Redis>,
    /// Whether no other process writes what is cached. If others may, and cannot be heard, nothing is believed for more
    /// than a second.
    pub is_alone: bool,
    /// `CACHE_MAX_ENTRIES`: entries in this process. One of more than 4 KiB counts several times.
    pub max_entries: u64,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Ids.
    pub clock: Clock,
}

/// The cache of this process. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    front: Front,
    stamps: Arc<Stamps>,
    follower: Option<Arc<Follower>>,
    is_alone: bool,
    started: Instant,
    metrics: Arc<Metrics>,
}

/// Where one look-up looks.
struct Place<'a> {
    owner: Owner,
    key: [u8; 16],
    /// Redis, while it may be served from.
    remote: Option<&'a Remote>,
}

/// What was loaded is not kept: it is an error, nothing, or too large.
#[derive(Debug)]
struct NotKept;

/// What a loader made of it.
type Loaded<N, E> = Result<Option<<N as Namespace>::Value>, E>;

impl Cache {
    /// An empty cache. With Redis, [`background`](Self::background) has to run for it to be used.
    #[must_use]
    pub fn new(parts: CacheParts) -> Self {
        let CacheParts {
            redis,
            is_alone,
            max_entries,
            metrics,
            clock,
        } = parts;
        let follower = redis.map(|redis| Arc::new(Follower::new(Remote::new(redis, clock))));
        Self(Arc::new(Inner {
            front: front(max_entries),
            stamps: Arc::new(Stamps::new(max_entries)),
            follower,
            is_alone,
            started: Instant::now(),
            metrics,
        }))
    }

    /// The background work, to be run until `stop` is cancelled; there is none without Redis.
    pub fn background(&self, stop: &CancellationToken) -> Option<BoxFuture<'static, ()>> {
        let (follower, stamps, stop) = (self.0.follower.clone()?, self.0.stamps.clone(), stop.clone());
        Some(Box::pin(follower.run(stamps, stop)))
    }

    /// The value of that key and user: kept, or else loaded and kept. Of many who ask at once, one loads. What the
    /// loader does not find is not kept.
    ///
    /// # Errors
    /// Those of the loader alone.
    pub async fn get_or_load<N, E, F>(
        &self,
        namespace: &N,
        user: UserId,
        key: &N::Key,
        load: impl Fn() -> F,
    ) -> Loaded<N, E>
    where
        N: Namespace,
        F: Future<Output = Loaded<N, E>>,
    {
        let Some(key) = hash(key) else { return load().await };
        let (front_key, place) = self.place::<N>(user, key);
        let mut loaded = None;
        // On the heap, and what fills only on a miss: moka's future is large, and has room for several of what it is given.
        let fill = async { Box::pin(self.fill(namespace, &place, &load, &mut loaded)).await };
        let kept = Box::pin(self.0.front.try_get_with(front_key, fill)).await;
        if let Some(loaded) = loaded {
            self.count("get", N::NAME, "memory", "miss");
            return loaded;
        }
        // Somebody else filled it. What they could not keep is theirs alone.
        match kept.ok().and_then(|entry| decode::<N>(&entry.bytes)) {
            Some(value) => {
                self.count("get", N::NAME, "memory", "hit");
                Ok(Some(value))
            }
            None => load().await,
        }
    }

    /// Makes unreachable what is kept in an area of a user, in all instances. To be called after every change, also one of which
    /// it is unknown whether it was made.
    pub async fn invalidate(&self, user: UserId, area: Area) {
        let owner = Owner { user, area };
        let unfinished = Unfinished(Some((self, owner)));
        if let Some(follower) = &self.0.follower {
            let result = follower.remote().invalidate(owner).await;
            if result.is_err() {
                follower.unsent();
            }
            self.count("delete", "all", "redis", outcome(&result));
        }
        // Last: who reads in between may find an old value in Redis, and keep it here.
        self.0.stamps.forget(owner);
        self.count("delete", "all", "memory", "ok");
        unfinished.done();
    }

    /// Makes unreachable what is kept of everybody, in all instances: somebody has changed something and may not have said
    /// so. Takes effect in the background.
    pub fn invalidate_all(&self) {
        if let Some(follower) = &self.0.follower {
            follower.unsent();
        }
    }

    /// Entries in this process.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.0.front.entry_count()
    }

    fn place<N: Namespace>(&self, user: UserId, key: [u8; 16]) -> (FrontKey, Place<'_>) {
        let owner = Owner { user, area: N::AREA };
        let session = self.0.follower.as_ref().and_then(|follower| follower.session());
        let trust = match session {
            _ if self.0.is_alone => Trust::Alone,
            Some(session) if session.hearing => Trust::Hearing {
                session: session.number,
            },
            _ => Trust::Unheard {
                second: second(self.0.started),
            },
        };
        let front_key = FrontKey {
            stamp: self.0.stamps.of(owner),
            trust,
            namespace: N::NAME,
            key,
        };
        let follower = self.0.follower.as_ref().filter(|_| session.is_some());
        let remote = follower.map(|follower| follower.remote());
        (front_key, Place { owner, key, remote })
    }

    /// What to keep in this process: from Redis, or loaded and put there. Whatever comes goes into `loaded`.
    async fn fill<N, E, F>(
        &self,
        namespace: &N,
        place: &Place<'_>,
        load: impl Fn() -> F,
        loaded: &mut Option<Loaded<N, E>>,
    ) -> Result<Entry, NotKept>
    where
        N: Namespace,
        F: Future<Output = Loaded<N, E>>,
    {
        let mut remote_key = None;
        if let Some(remote) = place.remote {
            let found = remote.look_up(place.owner, N::NAME, place.key).await;
            let entry = found.as_ref().ok().and_then(|found| found.entry.clone());
            let value = entry.as_ref().and_then(|entry| decode::<N>(&entry.bytes));
            self.count(
                "get",
                N::NAME,
                "redis",
                match (&found, &value) {
                    (Err(_), _) => "error",
                    (_, Some(_)) => "hit",
                    (_, None) => "miss",
                },
            );
            if let (Some(entry), Some(value)) = (entry, value) {
                *loaded = Some(Ok(Some(value)));
                return Ok(entry);
            }
            remote_key = found.ok().map(|found| (remote, found.key));
        }
        let result = load().await;
        let bytes = match &result {
            Ok(Some(value)) => encode::<N>(value),
            _ => None,
        };
        *loaded = Some(result);
        let entry = Entry {
            bytes: bytes.ok_or(NotKept)?,
            ttl: jittered(namespace.ttl()),
        };
        if let Some((remote, key)) = remote_key {
            let put = remote.put(&key, &entry).await;
            self.count("set", N::NAME, "redis", outcome(&put));
        }
        Ok(entry)
    }

    fn count(&self, operation: &str, namespace: &str, backend: &str, result: &str) {
        let labels = [operation, namespace, backend, result];
        self.0.metrics.cache_operations.with_label_values(&labels).inc();
    }
}

/// An invalidation that may be cancelled in the middle, when it is not known what has reached Redis.
struct Unfinished<'a>(Option<(&'a Cache, Owner)>);

impl Unfinished<'_> {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some((cache, owner)) = self.0 else { return };
        if let Some(follower) = &cache.0.follower {
            follower.unsent();
        }
        cache.0.stamps.forget(owner);
    }
}

/// A key of any length as one of 128 bits, which nobody finds another key for.
fn hash(key: &impl serde::Serialize) -> Option<[u8; 16]> {
    let json = serde_json::to_vec(key).ok()?;
    digest(&SHA256, &json).as_ref().first_chunk().copied()
}

fn jittered(ttl: Duration) -> Duration {
    ttl.mul_f64(random_range(1.0 - JITTER..=1.0 + JITTER))
}

const fn outcome<T, E>(result: &Result<T, E>) -> &'static str {
    if result.is_ok() { "ok" } else { "error" }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("entries", &self.entries())
            .finish_non_exhaustive()
    }
}
