//! The lease of this instance, and what the instances left that let theirs run out.
//!
//! While an instance lives it says so in the database, every [`RENEW_INTERVAL`]; the answers that it produces are its own
//! for as long. One that says nothing for [`LEASE`] is taken for dead, and any other closes what it left. So that an outage
//! of the database does not make everybody look dead, nobody is judged until everybody has had time to speak again. An
//! instance that was only paused brings its answers when it goes on, and they replace what was closed for it.

use std::collections::HashSet;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::core::{EngineCore, unavailable};
use super::orphans::{self, Asked};
use super::records::{ABANDONED_BATCH, UnfinishedGeneration};
use super::recovery;
use crate::models::ids::{InstanceId, StreamId};
use crate::utils::database::DatabaseError;
use crate::utils::errors::ApiError;

/// How often an instance says that it is alive.
pub(super) const RENEW_INTERVAL: Duration = Duration::from_millis(2_500);

/// How long an instance may say nothing. What it left is closed within three renewals more.
pub(super) const LEASE: Duration = Duration::from_secs(10);

/// How often an instance looks for answers that it is recorded to be producing and is not.
pub(super) const LOST_INTERVAL: Duration = Duration::from_secs(10);

/// How long the beginning of an answer may take at most, before it counts as lost.
const LOST_AFTER: TimeDelta = TimeDelta::seconds(30);

/// How long giving up the lease may take: without it, others find out by themselves.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Takes up the lease and closes what the last process left, but for the streams that wait in the outbox.
pub(super) async fn begin(engine: &EngineCore, waiting: &HashSet<StreamId>) -> Result<(), ApiError> {
    engine.records.renew_lease().await.map_err(unavailable)?;
    let left = engine.records.unfinished_here(None, &[]).await;
    let left = left.map_err(unavailable)?;
    let waits = |generation: &UnfinishedGeneration| waiting.contains(&generation.answer.stream_id);
    recovery::close(
        engine,
        left.into_iter().filter(|left| !waits(left)),
        Asked::Perhaps,
    )
    .await?;
    orphans::settle_left(engine, waiting).await.map_err(unavailable)
}

/// Renews the lease until `stop` is cancelled, whatever else there is to do.
pub(super) async fn keep(engine: &EngineCore, stop: &CancellationToken) {
    let mut next = Instant::now();
    while tokio::time::timeout_at(next, stop.cancelled()).await.is_err() {
        next = Instant::now() + RENEW_INTERVAL;
        let renewing = tokio::time::timeout(RENEW_INTERVAL, engine.records.renew_lease());
        match renewing.await.unwrap_or(Err(DatabaseError::TimedOut)) {
            Ok(()) => {
                engine.leased.send_if_modified(|since| {
                    since.get_or_insert(Instant::now());
                    false
                });
            }
            Err(error) => {
                engine.leased.send_replace(None);
                best_effort(engine, "the lease of this instance could not be renewed", &error);
            }
        }
    }
}

/// Closes what others left. Nothing while the database did not answer for as long as everybody needs to speak again.
pub(super) async fn close_abandoned(engine: &EngineCore) {
    let since = *engine.leased.borrow();
    if since.is_none_or(|since| since.elapsed() < LEASE + RENEW_INTERVAL) {
        return;
    }
    match engine.records.silent(LEASE).await {
        Ok(silent) => note_silent(engine, silent.into_iter().collect()),
        Err(error) => return best_effort(engine, "silent instances cannot be looked for", &error),
    }
    orphans::settle_of_others(engine).await;
    loop {
        let abandoned = match engine.records.abandoned(LEASE).await {
            Ok(abandoned) => abandoned,
            Err(error) => {
                return best_effort(engine, "abandoned answers cannot be looked for", &error);
            }
        };
        let is_last = abandoned.len() < ABANDONED_BATCH as usize;
        match recovery::close(engine, abandoned.into_iter(), Asked::Perhaps).await {
            // Those that cannot be closed now come again.
            Ok(closed) if is_last || closed == 0 => return,
            Ok(_) => {}
            Err(error) => return best_effort(engine, "an abandoned answer cannot be closed", &error),
        }
    }
}

/// Tells whoever wants to know of instances that are silent now and were not before. Each instance notes that for itself:
/// one that did it for others might die on the way.
fn note_silent(engine: &EngineCore, silent: HashSet<InstanceId>) {
    engine.silent.send_if_modified(|before| {
        let has_died = !silent.is_subset(before);
        if has_died {
            tracing::warn!(
                instances = silent.len(),
                "other instances are gone without a word"
            );
        }
        *before = silent;
        has_died
    });
}

/// Closes what this instance is recorded to be producing, and is not: the database had begun the turn, but its reply was
/// lost, so that nobody was asked for an answer.
pub(super) async fn close_lost(engine: &EngineCore) {
    // First what is known, then what is recorded: what ends in between is stored.
    let held = engine.registry.all().into_iter().map(|generation| generation.id);
    let known: Vec<StreamId> = held.chain(engine.outbox.waiting_here()).collect();
    let before = engine.clock.now() - LOST_AFTER;
    let lost = match engine.records.unfinished_here(Some(before), &known).await {
        Ok(lost) => lost,
        Err(error) => return best_effort(engine, "lost answers cannot be looked for", &error),
    };
    if let Err(error) = recovery::close(engine, lost.into_iter(), Asked::No).await {
        best_effort(engine, "a lost answer cannot be closed", &error);
    }
}

fn best_effort(engine: &EngineCore, what: &'static str, error: &dyn std::fmt::Display) {
    tracing::warn!(%error, "{what}");
    engine
        .metrics
        .best_effort_failures
        .with_label_values(&["lease"])
        .inc();
}

/// Gives the lease up.
pub(super) async fn end(engine: &EngineCore) {
    let ending = tokio::time::timeout(END_WITHIN, engine.records.end_lease()).await;
    if let Err(error) = ending.unwrap_or(Err(DatabaseError::TimedOut)) {
        tracing::warn!(%error, "the lease of this instance runs out by itself");
    }
}
