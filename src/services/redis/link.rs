//! The connections for commands, from the moment they work until they are given up together.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisResult};

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

    /// Heartbeats in a row without a reply after which Redis counts as down. Only these count: of requests, many fail at the
    /// same moment. A heartbeat may have to wait behind a large reply.
    const fn max_missed_beats(self) -> u32 {
        match self {
            Self::Short => 5,
            Self::Bulk => 20,
        }
    }
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
    lane: Lane,
    connection: MultiplexedConnection,
    /// In a row.
    missed_beats: AtomicU32,
    /// A request had no reply in time, and no heartbeat since.
    doubted: AtomicBool,
}

impl Link {
    /// Opens the connections.
    pub(super) async fn open(server: &Client) -> RedisResult<Self> {
        let (short, bulk) =
            tokio::try_join!(Line::open(server, Lane::Short), Line::open(server, Lane::Bulk))?;
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
    async fn open(server: &Client, lane: Lane) -> RedisResult<Self> {
        // Time limits are those of whoever opens and asks.
        let unlimited = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = server
            .get_multiplexed_async_connection_with_config(&unlimited)
            .await?;
        Ok(Self {
            lane,
            connection,
            missed_beats: AtomicU32::new(0),
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
        self.missed_beats.store(0, Ordering::Relaxed);
    }

    /// A heartbeat had no reply; tells whether that was one too many.
    pub(super) fn missed_beat(&self) -> bool {
        self.missed_beats.fetch_add(1, Ordering::Relaxed) + 1 >= self.lane.max_missed_beats()
    }
}
