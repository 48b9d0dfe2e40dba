//! The end of an answer: stored, accounted for, then told to its readers, then counted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use serde_json::value::RawValue;

use super::core::{AnswerCount, EngineCore};
use super::draft::Draft;
use super::frames;
use super::handle::{Ending, Generation};
use super::registry::Admission;
use super::turn::{Kind, TurnIds};
use crate::models::message::MessageStatus;
use crate::models::money::Money;
use crate::services::billing::UsageEvent;
use crate::services::conversations::{AnswerOutcome, AnswerUsage, FinishedAnswer};
use crate::services::outbox::OutboxEntry;
use crate::utils::errors::ApiError;
use crate::utils::json::RawObject;

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
}

pub(super) async fn finish(
    engine: &EngineCore,
    generation: &Arc<Generation>,
    produced: Produced,
    admission: Admission,
) {
    let mut usage = {
        let draft = generation.draft();
        AnswerUsage::reported_or_estimated(draft.usage, produced.sent_bytes, draft.written_bytes())
    };
    // A zero that a model reports means that it does not know; what is free says so by other means.
    usage.cost = usage
        .cost
        .filter(|cost| *cost > Money::ZERO)
        .or(produced.header_cost);
    let pending = match &generation.kind {
        Kind::Conversation(turn) => store_answer(engine, generation, &produced, turn, usage).await,
        Kind::Stateless { .. } => {
            record_usage(engine, generation, &produced, usage).await;
            false
        }
    };
    // The user's place is free before the stream says so: whoever has read the end can ask again at once.
    drop(admission);
    let completion_id = generation
        .draft()
        .upstream_id
        .clone()
        .unwrap_or_else(|| frames::own_completion_id(generation.id));
    tell_readers(generation, &produced, &usage, &completion_id, pending);
    engine.registry.ended(generation);
    if produced.error.is_some() && generation.is_refused() {
        // Nobody has seen it: there is nothing to come back for.
        engine.registry.remove(generation.id);
    }
    report(engine, generation, &produced, &usage);
    let finish_reason = finish_reason(&generation.draft(), produced.status);
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

/// Stores the answer, or leaves it to the outbox: true then.
async fn store_answer(
    engine: &EngineCore,
    generation: &Generation,
    produced: &Produced,
    turn: &TurnIds,
    usage: AnswerUsage,
) -> bool {
    let (answer, rest) = {
        let draft = generation.draft();
        let unseen = generation.is_unseen() && draft.is_empty() && produced.status == MessageStatus::Failed;
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
            outcome: if unseen {
                AnswerOutcome::Withdrawn
            } else {
                AnswerOutcome::Stored(produced.status)
            },
            content: draft.content.clone(),
            reasoning: (!draft.reasoning.is_empty()).then(|| draft.reasoning.clone()),
            tool_calls: draft.tool_calls(),
            finish_reason: finish_reason(&draft, produced.status),
            usage,
            latency_ms: Some(millis(produced.took)),
            first_token_ms: produced.first_token.map(millis),
        };
        (answer, draft.unsaved(generation.id))
    };
    // What was interrupted is replayed from its checkpoints, which must then be complete.
    if produced.status == MessageStatus::Interrupted
        && let Some(rest) = rest
    {
        engine.checkpoint(vec![rest]).await;
    }
    match engine.store.save_answer(&answer).await {
        Ok(()) => false,
        Err(error) => {
            tracing::error!(%error, message_id = %answer.message_id, "the answer could not be stored and goes to the outbox");
            engine.outbox.keep(OutboxEntry::Answer(answer)).await;
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
        latency_ms: Some(millis(produced.took)),
        first_token_ms: produced.first_token.map(millis),
        created_at: engine.clock.now(),
    };
    engine.outbox.record_usage(event).await;
}

/// Puts the last events into the log, or refuses the request if nobody has seen anything of its answer.
fn tell_readers(
    generation: &Generation,
    produced: &Produced,
    usage: &AnswerUsage,
    completion_id: &str,
    pending: bool,
) {
    let naming = generation.naming(completion_id, &produced.model);
    if let Some(error) = &produced.error {
        let refused = generation.refuse(error);
        if !refused {
            generation
                .log
                .append(&frames::error(error, &generation.request_id));
        }
        generation.log.end(frames::DONE);
        return;
    }
    if produced.status == MessageStatus::Cancelled {
        generation.log.append(&frames::cancelled(naming));
    }
    match generation.kind {
        Kind::Stateless { shows_usage: false } => {}
        Kind::Stateless { shows_usage: true } | Kind::Conversation(_) => {
            let reported = produced.usage_chunk.as_ref().and_then(|chunk| usage_of(chunk));
            generation.log.append(&frames::closing(
                naming,
                &generation.kind,
                usage,
                reported.as_deref(),
                pending,
            ));
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Metrics and the business event.
fn report(engine: &EngineCore, generation: &Generation, produced: &Produced, usage: &AnswerUsage) {
    engine.count_answer(&AnswerCount {
        model: &produced.model,
        user: generation.user_id,
        status: produced.status,
        streamed: generation.streamed,
        usage,
        took: produced.took,
    });
    if generation.turn().is_some() {
        engine.metrics.messages.with_label_values(&["assistant"]).inc();
    }
    // A refusal is counted where it is answered.
    if let Some(error) = produced.error.as_ref().filter(|_| !generation.is_refused()) {
        engine.metrics.error(error.code());
    }
    let event = match produced.status {
        MessageStatus::Completed => "chat_completed",
        MessageStatus::Cancelled => "chat_cancelled",
        MessageStatus::Interrupted => "chat_interrupted",
        MessageStatus::Failed | MessageStatus::Streaming => "chat_failed",
    };
    tracing::info!(
        event,
        user_id = %generation.user_id,
        conversation_id = generation.turn().map(|turn| tracing::field::display(turn.conversation_id)),
        model = &*produced.model,
        tokens = usage.total_tokens(),
        cost_usd = usage.cost.map(tracing::field::display),
        "business_event"
    );
}
