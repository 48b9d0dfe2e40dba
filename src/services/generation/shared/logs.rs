//! The logs themselves.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::Script;
use tokio::sync::watch;

use crate::models::ids::{StreamId, UserId};
use crate::services::generation::replay::Uncopied;
use crate::services::redis::{Availability, PREFIX, Redis, RedisFailure, Subscription};

/// Bytes of events after which no more are read at once.
const READ_BYTES: usize = 128 * 1024;

/// Notices that wait for a reader: what they tell is that there is more.
const WAKES: usize = 4;

/// Numbers that Lua has exactly.
const MAX_ID: u64 = 1 << 53;

/// Which log. Its user is part of the key: nobody finds somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogName {
    /// Whose answer it is.
    pub user: UserId,
    /// The answer.
    pub stream: StreamId,
    /// Whether it is recorded in the database, too: without its record, nobody finds the log of one that is.
    pub recorded: bool,
}

impl LogName {
    /// The key of the log, and the channel on which it is told that the log has grown.
    fn key(self) -> String {
        let kind = if self.recorded { "log" } else { "unrecorded" };
        format!("{PREFIX}{kind}:{}:{}", self.user, self.stream)
    }
}

/// How far a log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// The id of its newest event; 0 where there is no log.
    pub id: u64,
    /// Whether that is the last of all.
    pub ended: bool,
}

impl From<i64> for Newest {
    fn from(reply: i64) -> Self {
        Self {
            id: reply.unsigned_abs(),
            ended: reply < 0,
        }
    }
}

/// Events of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// How far the log goes.
    pub newest: Newest,
    /// The id that follows the last of the events.
    pub next: u64,
    /// Whole events, as they go over the wire; empty if there are none.
    pub events: Bytes,
}

/// Events that are to be appended to a log.
#[derive(Debug)]
pub struct Append<'a> {
    /// The log.
    pub name: LogName,
    /// The events.
    pub events: &'a Uncopied,
    /// How long the log is kept from now on.
    pub ttl: Duration,
}

/// The logs in Redis. Cheap to clone.
#[derive(Clone)]
pub struct SharedLogs(Arc<Inner>);

struct Inner {
    redis: Redis,
    append: Script,
    read: Script,
    end: Script,
}

impl SharedLogs {
    /// The logs in this Redis.
    #[must_use]
    pub fn new(redis: &Redis) -> Self {
        Self(Arc::new(Inner {
            // Replays must not hold up limits and cache.
            redis: redis.bulk(),
            append: Script::new(include_str!("append.lua")),
            read: Script::new(include_str!("read.lua")),
            end: Script::new(include_str!("end.lua")),
        }))
    }

    pub(super) fn redis(&self) -> &Redis {
        &self.0.redis
    }

    /// Whether Redis is up.
    #[must_use]
    pub fn availability(&self) -> watch::Receiver<Availability> {
        self.0.redis.availability()
    }

    /// Appends events to several logs in one exchange, and wakes their readers. What a log has already is not appended
    /// again; nothing is appended after a gap, or to a log that has ended. Tells how far each log goes.
    ///
    /// # Errors
    /// If Redis does not answer; what was appended is unknown then, and appending again is safe.
    pub async fn append(&self, logs: &[Append<'_>]) -> Result<Vec<Newest>, RedisFailure> {
        let mut call = self.0.append.prepare_invoke();
        for Append { name, events, ttl } in logs {
            call.key(name.key())
                .arg(millis(*ttl))
                .arg(events.first)
                .arg(if events.ends { "last" } else { "event" })
                .arg(events.events.len());
            for event in &events.events {
                call.arg(event.as_ref());
            }
        }
        let newest: Vec<i64> = self.0.redis.run(&call).await?;
        Ok(newest.into_iter().map(Newest::from).collect())
    }

    /// Reads a log from this event on; `None` where there is none. Who reads on after the last event gets that event.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn read(&self, name: LogName, from: u64) -> Result<Option<LogPage>, RedisFailure> {
        let mut call = self.0.read.key(name.key());
        call.arg(from.min(MAX_ID)).arg(READ_BYTES);
        let page: Option<(i64, u64, Vec<u8>)> = self.0.redis.run(&call).await?;
        Ok(page.map(|(newest, next, events)| LogPage {
            newest: newest.into(),
            next,
            events: events.into(),
        }))
    }

    /// Ends a log with these two events, if its newest event is this one still and it has not ended. Tells how far it goes
    /// then.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn end(
        &self,
        name: LogName,
        newest: u64,
        events: &[Bytes; 2],
        ttl: Duration,
    ) -> Result<Newest, RedisFailure> {
        let mut call = self.0.end.key(name.key());
        call.arg(millis(ttl)).arg(newest);
        for event in events {
            call.arg(event.as_ref());
        }
        let newest: i64 = self.0.redis.run(&call).await?;
        Ok(newest.into())
    }

    /// Removes logs.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn remove(&self, names: &[LogName]) -> Result<(), RedisFailure> {
        let keys: Vec<String> = names.iter().map(|name| name.key()).collect();
        self.0.redis.query(&redis::Cmd::del(keys)).await
    }

    /// Tells when a log has grown.
    #[must_use]
    pub fn wakes(&self, name: LogName) -> Subscription {
        self.0.redis.subscribe(&name.key(), WAKES)
    }
}

impl fmt::Debug for SharedLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLogs").finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
