//! Reservations whose answers nobody produces any more: settled, so that nobody stays locked out of their own money.
//!
//! What is recorded as running is closed, and settled with that, by [`recovery`](super::recovery); this is about what is
//! recorded nowhere else (OpenAI-compatible chat), and about what lost its record (a conversation that was deleted).

use std::collections::HashSet;
use std::time::Duration;

use chrono::TimeDelta;

use super::core::EngineCore;
use super::lease;
use crate::models::ids::StreamId;
use crate::models::message::MessageStatus;
use crate::services::billing::{AnswerUsage, Orphan, UsageEvent};
use crate::utils::database::DatabaseError;

/// How long what is held back may be without a task at work on its answer, at most.
const ORPHANED_AFTER: TimeDelta = TimeDelta::seconds(30);

/// Whether a model was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nobody could have: the reply of the database was lost.
    No,
    /// Whoever died may have asked it, and then it has read what it was sent.
    Perhaps,
}

/// Settles what the last process of this instance left, but for the streams that wait in the outbox. Each is tried once.
pub(super) async fn settle_left(
    engine: &EngineCore,
    waiting: &HashSet<StreamId>,
) -> Result<(), DatabaseError> {
    let mut known: Vec<StreamId> = waiting.iter().copied().collect();
    loop {
        let records = engine.billing.records();
        let orphans = records.orphans_here(engine.clock.now(), &known).await?;
        if orphans.is_empty() {
            return Ok(());
        }
        known.extend(orphans.iter().map(|orphan| orphan.id));
        settle(engine, orphans, Asked::Perhaps).await;
    }
}

/// Settles what nobody here is at work on.
pub(super) async fn settle_here(engine: &EngineCore) {
    // First who is at work, then what is held back: who ends in between has settled.
    let held = engine.registry.all().into_iter().map(|generation| generation.id);
    let known: Vec<StreamId> = held
        .chain(engine.billing.open_streams())
        .chain(engine.outbox.waiting_here())
        .collect();
    let before = engine.clock.now() - ORPHANED_AFTER;
    match engine.billing.records().orphans_here(before, &known).await {
        Ok(orphans) => settle(engine, orphans, Asked::No).await,
        Err(error) => tracing::warn!(%error, "reservations without an owner cannot be looked for"),
    }
    if let Ok(open) = engine.billing.records().open_reservations().await {
        let open = i64::try_from(open).unwrap_or(i64::MAX);
        engine.metrics.reservations_open.set(open);
    }
}

/// Settles what instances left that are gone.
pub(super) async fn settle_of_others(engine: &EngineCore) {
    match engine.billing.records().orphans_of_others(lease::LEASE).await {
        Ok(orphans) => settle(engine, orphans, Asked::Perhaps).await,
        Err(error) => tracing::warn!(%error, "reservations of silent instances cannot be looked for"),
    }
}

async fn settle(engine: &EngineCore, orphans: Vec<Orphan>, asked: Asked) {
    for orphan in orphans {
        tracing::warn!(stream_id = %orphan.id, user_id = %orphan.user_id, "settled a reservation without an owner");
        engine.metrics.reservation_leaks.inc();
        let event = event(engine, orphan, asked);
        engine.outbox.record_usage(event, Duration::MAX).await;
    }
}

fn event(engine: &EngineCore, orphan: Orphan, asked: Asked) -> UsageEvent {
    let (status, usage) = match asked {
        Asked::No => (MessageStatus::Failed, AnswerUsage::default()),
        Asked::Perhaps => {
            let sent_bytes = usize::try_from(orphan.sent_bytes).unwrap_or(usize::MAX);
            let mut usage = AnswerUsage::reported_or_estimated(None, sent_bytes, 0);
            usage.cost = usage.cost_at(&orphan.prices);
            (MessageStatus::Interrupted, usage)
        }
    };
    UsageEvent {
        id: orphan.id,
        user_id: orphan.user_id,
        request_id: orphan.request_id,
        conversation_id: None,
        message_id: None,
        model: orphan.model,
        status,
        streamed: orphan.streamed,
        usage,
        attempts: Vec::new(),
        latency_ms: None,
        first_token_ms: None,
        provisional: true,
        created_at: engine.clock.now(),
    }
}
