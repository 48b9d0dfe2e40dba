//! The end of an answer: stored, accounted for, then told to its readers, then counted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

use super::core::{AnswerReport, EngineCore};
use super::draft::Draft;
use super::frames;
use super::handle::{Ending, Generation};
use super::places::Admission;
use super::turn::{Kind, TurnIds};
use crate::models::message::MessageStatus;
use crate::models::money::Money;
use crate::services::billing::{AnswerUsage, UsageEvent};
use crate::services::conversations::{AnswerOutcome, FinishedAnswer, StoreError};
use crate::services::llm::FailedAttempt;
use crate::services::outbox::OutboxEntry;
use crate::utils::database::DatabaseError;
use crate::utils::errors::ApiError;
use crate::utils::json::RawObject;

/// How long storing may take when the process is being stopped; what is not stored then goes to the journal.
pub const LAST_SAVE: Duration = Duration::from_secs(1);

/// How the model's part ended.
pub(super) struct Produced {
    pub(super) status: MessageStatus,
    pub(super) error: Option<ApiError>,
    pub(super) model: Arc<str>,
    pub(super) header_cost: Option<Money>,
    pub(super) sent_bytes: usize,
    /// From the start of the answer to its first token, and to its end.
    pub(super) first_token: Option<Duration>,
    pub(super) took: Duration,
    /// The model's own chunk with the usage, for clients that asked for it.
    pub(super) usage_chunk: Option<Bytes>,
    /// The model's own completion, where the answer came whole.
    pub(super) completion: Option<Bytes>,
    /// What was tried in vain before.
    pub(super) attempts: Vec<FailedAttempt>,
    /// What was held back for it.
    pub(super) held: Option<Money>,
    /// Whether the model had been at work when it failed.
    pub(super) has_worked: bool,
}

pub(super) async fn finish(
    engine: &EngineCore,
    generation: &Arc<Generation>,
    mut produced: Produced,
    admission: Admission,
) {
    // Decided before anything is stored: from here on nobody can come to see an answer that is being withdrawn.
    let refusal = produced.error.is_some() && generation.draft().is_empty() && generation.begin_refusal();
    let usage = usage(engine, generation, &produced);
    let finish_reason = finish_reason(&generation.draft(), produced.status);
    let pending = match &generation.kind {
        Kind::Conversation(turn) => {
            if !refusal {
                let message = turn.message_id.to_string();
                produced.error = produced
                    .error
                    .map(|error| error.with_detail("message_id", message));
            }
            let answer = take_answer(generation, &produced, turn, usage, refusal, engine.clock.now());
            store_answer(engine, generation, answer).await
        }
        Kind::Stateless { .. } => {
            record_usage(engine, generation, &produced, usage).await;
            false
        }
    };
    // Free before the stream says so: whoever has read its end can ask again at once, and finds nothing running.
    admission.give_back().await;
    engine.registry.ended(generation);
    let completion_id = generation
        .draft()
        .upstream_id
        .clone()
        .unwrap_or_else(|| frames::own_completion_id(generation.id));
    tell_readers(generation, &produced, &usage, &completion_id, pending);
    report(engine, generation, &produced, &usage, refusal);
    generation.end(Ending {
        status: produced.status,
        error: produced.error,
        model: produced.model,
        completion_id,
        finish_reason,
        usage,
        pending,
        completion: produced.completion,
    });
}

/// What was used. A model that failed without a word used nothing, as far as anybody knows, unless it was stopped at work.
fn usage(engine: &EngineCore, generation: &Generation, produced: &Produced) -> AnswerUsage {
    let draft = generation.draft();
    let has_said_nothing = draft.is_empty() && draft.usage.is_none();
    let mut usage = if produced.status == MessageStatus::Failed && has_said_nothing && !produced.has_worked {
        AnswerUsage::default()
    } else {
        AnswerUsage::reported_or_estimated(draft.usage, produced.sent_bytes, draft.written_bytes())
    };
    // A zero that a model reports means that it does not know; what is free says so by other means.
    usage.cost = usage
        .cost
        .filter(|cost| *cost > Money::ZERO)
        .or(produced.header_cost)
        .or_else(|| engine.billing.cost(&produced.model, &usage));
    usage.cap_estimate(produced.held);
    usage
}

/// The answer as it is stored, with the draft's text: it is in the log too, and not needed twice.
fn take_answer(
    generation: &Generation,
    produced: &Produced,
    turn: &TurnIds,
    usage: AnswerUsage,
    refusal: bool,
    ended_at: chrono::DateTime<chrono::Utc>,
) -> (FinishedAnswer, Option<super::records::Checkpoint>) {
    let mut draft = generation.draft();
    let finish_reason = finish_reason(&draft, produced.status);
    let rest = draft.unsaved(generation.id);
    let (content, reasoning) = draft.take_text();
    let answer = FinishedAnswer {
        stream_id: generation.id,
        user_id: generation.user_id,
        request_id: generation.request_id.clone(),
        conversation_id: turn.conversation_id,
        branch_id: turn.branch_id,
        user_message_id: turn.user_message_id,
        message_id: turn.message_id,
        model: produced.model.clone(),
        streamed: generation.streamed,
        outcome: if refusal {
            AnswerOutcome::Withdrawn
        } else {
            AnswerOutcome::Stored(produced.status)
        },
        error: produced
            .error
            .as_ref()
            .and_then(|error| to_raw_value(&error.object(&generation.request_id)).ok()),
        content,
        reasoning: (!reasoning.is_empty()).then_some(reasoning),
        tool_calls: draft.tool_calls(),
        finish_reason,
        usage,
        attempts: produced.attempts.clone(),
        latency_ms: Some(millis(produced.took)),
        first_token_ms: produced.first_token.map(millis),
        ended_at,
    };
    (answer, rest)
}

/// Stores the answer, or leaves it to the outbox: true then.
async fn store_answer(
    engine: &EngineCore,
    generation: &Generation,
    (answer, rest): (FinishedAnswer, Option<super::records::Checkpoint>),
) -> bool {
    // What was interrupted is replayed from its checkpoints, which must then be complete.
    if answer.outcome == AnswerOutcome::Stored(MessageStatus::Interrupted)
        && let Some(rest) = rest
    {
        // Best effort, as every checkpoint.
        let _ = tokio::time::timeout(LAST_SAVE, engine.checkpoint(vec![rest])).await;
    }
    let answer = Arc::new(answer);
    let saving = engine.store.save_answer(answer.clone());
    let saved = tokio::time::timeout(time_to_save(engine), saving).await;
    match saved.unwrap_or(Err(StoreError::Database(DatabaseError::QueueFull))) {
        Ok(()) => false,
        Err(error) => {
            tracing::error!(%error, stream_id = %generation.id, "the answer could not be stored and goes to the outbox");
            engine.outbox.keep(OutboxEntry::Answer(answer), &error).await;
            true
        }
    }
}

async fn record_usage(engine: &EngineCore, generation: &Generation, produced: &Produced, usage: AnswerUsage) {
    let event = UsageEvent {
        id: generation.id,
        user_id: generation.user_id,
        request_id: generation.request_id.clone(),
        conversation_id: None,
        message_id: None,
        model: produced.model.clone(),
        status: produced.status,
        streamed: generation.streamed,
        usage,
        attempts: produced.attempts.clone(),
        latency_ms: Some(millis(produced.took)),
        first_token_ms: produced.first_token.map(millis),
        provisional: false,
        created_at: engine.clock.now(),
    };
    engine.outbox.record_usage(event, time_to_save(engine)).await;
}

/// A process that must end waits no longer than it has time: saving twice is the same as once.
fn time_to_save(engine: &EngineCore) -> Duration {
    match engine.lifecycle.hard().is_cancelled() {
        true => LAST_SAVE,
        false => Duration::MAX,
    }
}

/// Puts the last events into the log; whoever waits for the response to begin is told afterwards.
fn tell_readers(
    generation: &Generation,
    produced: &Produced,
    usage: &AnswerUsage,
    completion_id: &str,
    pending: bool,
) {
    let naming = generation.naming(completion_id, &produced.model);
    if let Some(error) = &produced.error {
        generation
            .log
            .append(&frames::error(error, &generation.request_id));
        generation.log.end(frames::DONE);
        generation.refuse(error);
        return;
    }
    if produced.status == MessageStatus::Cancelled {
        generation.log.append(&frames::cancelled(naming));
    }
    match generation.kind {
        Kind::Stateless { shows_usage: false } => {}
        Kind::Stateless { shows_usage: true } | Kind::Conversation(_) => {
            let reported = produced.usage_chunk.as_ref().and_then(|chunk| usage_of(chunk));
            let closing = frames::closing(naming, &generation.kind, usage, reported.as_deref(), pending);
            generation.log.append(&closing);
        }
    }
    generation.log.end(frames::DONE);
    generation.open();
}

/// The usage as the model wrote it.
fn usage_of(chunk: &[u8]) -> Option<Box<RawValue>> {
    serde_json::from_slice::<RawObject>(chunk).ok()?.remove("usage")
}

/// Why the model stopped, as far as there is a reason.
fn finish_reason(draft: &Draft, status: MessageStatus) -> Option<String> {
    match status {
        MessageStatus::Cancelled => Some("cancelled".to_owned()),
        _ => draft.finish_reason.clone(),
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn report(
    engine: &EngineCore,
    generation: &Generation,
    produced: &Produced,
    usage: &AnswerUsage,
    refusal: bool,
) {
    engine.report(&AnswerReport {
        model: &produced.model,
        user: generation.user_id,
        conversation: generation.turn().map(|turn| turn.conversation_id),
        status: produced.status,
        streamed: generation.streamed,
        usage,
        held: produced.held,
        took: produced.took,
    });
    // A refusal is counted where it is answered, and leaves no message.
    if refusal {
        return;
    }
    if generation.turn().is_some() {
        engine.metrics.messages.with_label_values(&["assistant"]).inc();
    }
    if let Some(error) = &produced.error {
        engine.metrics.error(error.code());
    }
}
