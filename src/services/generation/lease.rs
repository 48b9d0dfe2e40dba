//! The lease of this instance, and what the instances left that let theirs run out.
//!
//! While an instance lives it says so in the database, every [`RENEW_INTERVAL`]; the answers that it produces are its own
//! for as long. One that says nothing for [`LEASE`] is taken for dead, and any other closes what it left. So that an outage
//! of the database does not make everybody look dead, nobody is judged until everybody has had time to speak again. An
//! instance that was only paused brings its answers when it goes on, and they replace what was closed for it.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::core::{EngineCore, unavailable};
use super::recovery;
use crate::models::ids::StreamId;
use crate::utils::database::DatabaseError;
use crate::utils::errors::ApiError;

/// How often an instance says that it is alive.
const RENEW_INTERVAL: Duration = Duration::from_millis(2_500);

/// How long an instance may say nothing. What it left is closed within three renewals more.
const LEASE: Duration = Duration::from_secs(10);

/// How long giving up the lease may take: without it, others find out by themselves.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Takes up the lease and closes what the last process left, but for the streams that wait in the outbox.
pub(super) async fn begin(engine: &EngineCore, waiting: &HashSet<StreamId>) -> Result<(), ApiError> {
    engine.records.renew_lease().await.map_err(unavailable)?;
    let left = engine.records.left_by_last_run().await.map_err(unavailable)?;
    recovery::close(engine, &left, waiting).await
}

/// Renews the lease, and closes what others left, until `stop` is cancelled.
pub(super) async fn keep(engine: &EngineCore, stop: &CancellationToken) {
    // Since when the database has answered every time.
    let mut answering = Instant::now();
    let mut next = Instant::now();
    while tokio::time::timeout_at(next, stop.cancelled()).await.is_err() {
        next = Instant::now() + RENEW_INTERVAL;
        if let Err(error) = renew(engine, answering).await {
            answering = Instant::now() + RENEW_INTERVAL;
            tracing::warn!(%error, "the lease of this instance could not be renewed");
            engine
                .metrics
                .best_effort_failures
                .with_label_values(&["lease"])
                .inc();
        }
    }
}

async fn renew(engine: &EngineCore, answering: Instant) -> Result<(), ApiError> {
    engine.records.renew_lease().await.map_err(unavailable)?;
    if Instant::now() < answering + LEASE + RENEW_INTERVAL {
        return Ok(());
    }
    let abandoned = engine.records.abandoned(LEASE).await.map_err(unavailable)?;
    recovery::close(engine, &abandoned, &HashSet::new()).await
}

/// Gives the lease up.
pub(super) async fn end(engine: &EngineCore) {
    let ending = tokio::time::timeout(END_WITHIN, engine.records.end_lease()).await;
    if let Err(error) = ending.unwrap_or(Err(DatabaseError::TimedOut)) {
        tracing::warn!(%error, "the lease of this instance runs out by itself");
    }
}
