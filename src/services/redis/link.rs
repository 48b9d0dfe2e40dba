//! The connections for commands, from the moment they work until they are given up together.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisResult};

/// Failures in a row on one connection after which Redis counts as down.
const MAX_FAILURES: u32 = 5;

/// What a connection is for. Each has its own, so that a large reply does not hold up small ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Requests that somebody waits for: cache, limits, publishing.
    Short,
    /// Logs of streams.
    Bulk,
}

impl Lane {
    pub(super) const ALL: [Self; 2] = [Self::Short, Self::Bulk];
}

/// One connection for each lane. Requests of many callers are under way on each of them at once.
#[derive(Debug)]
pub(super) struct Link {
    short: Line,
    bulk: Line,
}

/// A connection, and how it has done of late.
#[derive(Debug)]
pub(super) struct Line {
    connection: MultiplexedConnection,
    failures_in_row: AtomicU32,
    /// A request had no reply in time, and no heartbeat since.
    doubted: AtomicBool,
}

impl Link {
    /// Opens the connections.
    pub(super) async fn open(server: &Client) -> RedisResult<Self> {
        let (short, bulk) = tokio::try_join!(Line::open(server), Line::open(server))?;
        Ok(Self { short, bulk })
    }

    /// A request on this connection had no reply in time. One that is slow with logs may be quick with all else; one that
    /// is slow with what is small is slow with everything.
    pub(super) fn doubt(&self, lane: Lane) {
        self.bulk.doubted.store(true, Ordering::Relaxed);
        if lane == Lane::Short {
            self.short.doubted.store(true, Ordering::Relaxed);
        }
    }

    pub(super) const fn line(&self, lane: Lane) -> &Line {
        match lane {
            Lane::Short => &self.short,
            Lane::Bulk => &self.bulk,
        }
    }
}

impl Line {
    async fn open(server: &Client) -> RedisResult<Self> {
        // Time limits are those of whoever opens and asks.
        let unlimited = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = server
            .get_multiplexed_async_connection_with_config(&unlimited)
            .await?;
        Ok(Self {
            connection,
            failures_in_row: AtomicU32::new(0),
            doubted: AtomicBool::new(false),
        })
    }

    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Whether nobody should be kept waiting by it until a heartbeat has come back.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    /// A heartbeat has come back.
    pub(super) fn trust(&self) {
        self.doubted.store(false, Ordering::Relaxed);
    }

    pub(super) fn succeeded(&self) {
        self.failures_in_row.store(0, Ordering::Relaxed);
    }

    /// Whether that was one failure too many.
    pub(super) fn failed(&self) -> bool {
        self.failures_in_row.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_FAILURES
    }
}
