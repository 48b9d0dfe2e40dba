//! Gauges that nobody moves, read every few seconds; and once a minute, if there was traffic, a line that sums up.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::services::api_keys::ApiKeyService;
use crate::services::auth::Authenticator;
use crate::services::billing::Billing;
use crate::services::cache::Cache;
use crate::services::sql::OpenDatabase;
use crate::utils::metrics::Metrics;

/// How often the gauges are read.
const INTERVAL: Duration = Duration::from_secs(5);

/// Readings between two summaries: a minute.
const READINGS_PER_SUMMARY: u32 = 12;

/// What is read.
pub struct Gauges {
    /// For its connections.
    pub database: OpenDatabase,
    /// For the tokens it keeps.
    pub authenticator: Arc<Authenticator>,
    /// For the API keys it keeps records of.
    pub api_keys: Arc<ApiKeyService>,
    /// For the users whose standing it keeps.
    pub billing: Arc<Billing>,
    /// For its entries.
    pub cache: Cache,
    /// Where the readings go.
    pub metrics: Arc<Metrics>,
}

/// Counters as they stood at the last summary.
#[derive(Debug, Clone, Copy, Default)]
struct Lookups {
    hits: u64,
    misses: u64,
}

impl Gauges {
    /// Reads until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut last = Lookups::default();
        let mut readings = 0;
        loop {
            self.read();
            readings += 1;
            if readings == READINGS_PER_SUMMARY {
                readings = 0;
                last = self.summarise(last);
            }
            if tokio::time::timeout(INTERVAL, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    fn read(&self) {
        let (used, idle) = self.database.connections();
        let connections = &self.metrics.db_pool_connections;
        connections.with_label_values(&["used"]).set(i64::from(used));
        connections
            .with_label_values(&["idle"])
            .set(i64::try_from(idle).unwrap_or(i64::MAX));
        let entries = self.authenticator.cached_tokens()
            + self.api_keys.verifier().remembered()
            + self.billing.remembered()
            + self.cache.entries();
        let entries = i64::try_from(entries).unwrap_or(i64::MAX);
        self.metrics
            .cache_entries
            .with_label_values(&["memory"])
            .set(entries);
    }

    fn summarise(&self, last: Lookups) -> Lookups {
        let lookups = |result| {
            self.metrics
                .cache_operations
                .with_label_values(&["get", "claims", "memory", result])
                .get()
        };
        let now = Lookups {
            hits: lookups("hit"),
            misses: lookups("miss"),
        };
        let (hits, misses) = (now.hits - last.hits, now.misses - last.misses);
        if let Some(claims_cache_hit_percent) = (hits * 100).checked_div(hits + misses) {
            tracing::info!(
                claims_cache_hit_percent,
                requests_in_flight = self.metrics.http_requests_in_flight.get(),
                active_streams = self.metrics.active_streams.get(),
                db_connections_used = self.database.connections().0,
                "the last minute"
            );
        }
        now
    }
}
