//! The tier in the process: bytes, bounded, each with a time of its own to live.

use std::time::Duration;

use bytes::Bytes;
use moka::Expiry;
use moka::future::Cache;
use tokio::time::Instant;

/// Bytes for which an entry counts once against `CACHE_MAX_ENTRIES`. So all together take at most so many times that
/// number, whatever their sizes.
const BYTES_PER_PLACE: usize = 4 * 1024;

/// The longest that anything is kept of which others may have changed the origin unheard.
pub(super) const UNHEARD_TTL: Duration = Duration::from_secs(1);

/// Why an entry in this process can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Trust {
    /// Nobody else writes.
    Alone,
    /// What others write is heard of, and was without a break since this number was given.
    Hearing { session: u64 },
    /// What others write is not heard of: believed within one second of the process's life.
    Unheard { second: u64 },
}

/// What an entry is found by. The stamp is that of one area of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FrontKey {
    pub(super) stamp: u64,
    pub(super) trust: Trust,
    pub(super) namespace: &'static str,
    pub(super) key: [u8; 16],
}

/// What is kept.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) bytes: Bytes,
    pub(super) ttl: Duration,
}

/// The entries of all namespaces.
pub(super) type Front = Cache<FrontKey, Entry>;

pub(super) fn front(max_entries: u64) -> Front {
    Cache::builder()
        .max_capacity(max_entries)
        .weigher(|_, entry: &Entry| {
            let places = entry.bytes.len().div_ceil(BYTES_PER_PLACE).max(1);
            u32::try_from(places).unwrap_or(u32::MAX)
        })
        .expire_after(OwnTtl)
        .build()
}

/// Each entry's own.
struct OwnTtl;

impl Expiry<FrontKey, Entry> for OwnTtl {
    fn expire_after_create(&self, key: &FrontKey, entry: &Entry, _: std::time::Instant) -> Option<Duration> {
        Some(match key.trust {
            Trust::Alone | Trust::Hearing { .. } => entry.ttl,
            Trust::Unheard { .. } => entry.ttl.min(UNHEARD_TTL),
        })
    }
}

/// The second of the process's life.
pub(super) fn second(started: Instant) -> u64 {
    started.elapsed().as_secs() / UNHEARD_TTL.as_secs()
}
