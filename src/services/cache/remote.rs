//! The tier in Redis.
//!
//! | key | is | lives |
//! | --- | --- | --- |
//! | `aco:cache:epoch` | part of every entry's key; a new one hides all entries | a day |
//! | `aco:cache:tag:{user}:{area}` | part of the keys of the entries of an area of a user; without it they are hidden | a day |
//! | `aco:cache:{epoch}:{user}:{tag}:{namespace}:{hash of the key}` | a value | its own TTL |
//!
//! Epochs and tags are made at random where there is none. Were they counted, an evicted one would begin anew and bring
//! back what was hidden.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, Script};

use super::front::Entry;
use super::{Area, Owner};
use crate::services::redis::{PREFIX, Redis, RedisFailure};
use crate::utils::clock::Clock;

/// Seconds that epochs and tags live. A new one costs the entries under it, nothing else.
const MARK_TTL: u64 = 86_400;

/// What is published when the epoch is renewed; else the message is an [`Owner`].
pub(super) const ALL: &[u8] = b"*";

/// Reads the epoch, the user's tag and the entry in one exchange, so that none is older than the others.
static LOOK_UP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local function mark(key)
            local found = redis.call('GET', key)
            if not found then
                found = ARGV[1]
                redis.call('SET', key, found, 'EX', ARGV[2])
            end
            return found
        end
        local entry = ARGV[3] .. mark(KEYS[1]) .. ':' .. ARGV[4] .. ':' .. mark(KEYS[2]) .. ':' .. ARGV[5]
        return {entry, redis.call('GET', entry), redis.call('PTTL', entry)}
        ",
    )
});

/// The tier in Redis. It knows nothing of whether it may be served from.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) redis: Redis,
    clock: Clock,
}

/// What a look-up brought.
pub(super) struct Found {
    /// Where a value that is loaded now is to be put.
    pub(super) key: String,
    /// What is there.
    pub(super) entry: Option<Entry>,
}

impl Remote {
    pub(super) const fn new(redis: Redis, clock: Clock) -> Self {
        Self { redis, clock }
    }

    pub(super) async fn look_up(
        &self,
        owner: Owner,
        namespace: &str,
        key: [u8; 16],
    ) -> Result<Found, RedisFailure> {
        let mut place = format!("{namespace}:");
        for byte in key {
            // Writing into a string does not fail.
            write!(place, "{byte:02x}").ok();
        }
        let mut script = LOOK_UP.key(epoch_key());
        script
            .key(tag_key(owner))
            .arg(self.mark())
            .arg(MARK_TTL)
            .arg(format!("{PREFIX}cache:"))
            .arg(owner.user.to_string())
            .arg(place);
        let (key, bytes, ttl_ms): (String, Option<Vec<u8>>, i64) = self.redis.run(&script).await?;
        let ttl = u64::try_from(ttl_ms).map(Duration::from_millis);
        let entry = bytes.zip(ttl.ok()).map(|(bytes, ttl)| Entry {
            bytes: bytes.into(),
            ttl,
        });
        Ok(Found { key, entry })
    }

    pub(super) async fn put(&self, key: &str, entry: &Entry) -> Result<(), RedisFailure> {
        let ttl_ms = u64::try_from(entry.ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        self.redis
            .query(&Cmd::pset_ex(key, &entry.bytes[..], ttl_ms))
            .await
    }

    /// Hides what is kept in an area of a user, and tells all instances.
    pub(super) async fn invalidate(&self, owner: Owner) -> Result<(), RedisFailure> {
        let mut pipeline = redis::pipe();
        pipeline
            .unlink(tag_key(owner))
            .publish(channel(), owner.to_string())
            .ignore();
        self.redis.query_all(&pipeline).await
    }

    /// Hides everything, and tells all instances.
    pub(super) async fn renew_epoch(&self) -> Result<(), RedisFailure> {
        let mut pipeline = redis::pipe();
        pipeline
            .set_ex(epoch_key(), self.mark(), MARK_TTL)
            .publish(channel(), ALL)
            .ignore();
        self.redis.query_all(&pipeline).await
    }

    fn mark(&self) -> String {
        self.clock.uuid().simple().to_string()
    }
}

/// The channel on which instances tell each other what to forget.
pub(super) fn channel() -> String {
    format!("{PREFIX}cache:invalidated")
}

fn epoch_key() -> String {
    format!("{PREFIX}cache:epoch")
}

fn tag_key(owner: Owner) -> String {
    format!("{PREFIX}cache:tag:{owner}")
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.user, self.area.name())
    }
}

impl Owner {
    /// Whose area a message is about; `None` if it is about none.
    pub(super) fn of_message(message: &[u8]) -> Option<Self> {
        let (user, name) = std::str::from_utf8(message).ok()?.split_once(':')?;
        Some(Self {
            user: user.parse().ok()?,
            area: *Area::ALL.iter().find(|area| area.name() == name)?,
        })
    }
}
