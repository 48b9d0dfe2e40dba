//! Embeddings: OpenAI's request, passed through, metered and charged.
//!
//! - `validation`: what a request may hold
//! - `size`: what it costs at worst
//!
//! A request is answered whole, in the model's own bytes. It is asked for in a task of its own, which goes on when the
//! client leaves: the model has begun to read, and what it read is charged as it counted it. While it is asked it has
//! one of its user's places, the same that answers of chat have.

mod size;
mod validation;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use self::size::InputsSize;
use crate::models::embedding::EmbeddingsRequest;
use crate::models::ids::StreamId;
use crate::models::message::MessageStatus;
use crate::services::auth::Caller;
use crate::services::billing::{AnswerUsage, Billing, Reservation, UsageEvent, unbounded_by};
use crate::services::generation::{Admission, Engine, LAST_SAVE};
use crate::services::lifecycle::Lifecycle;
use crate::services::llm::{
    AttemptLog, Completion, Model, ModelCall, ModelError, ModelErrorKind, TimeoutStage,
};
use crate::services::outbox::Outbox;
use crate::utils::clock::Clock;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::json::RawObject;
use crate::utils::metrics::Metrics;

/// What embeddings work with. Cheap to clone.
#[derive(Clone)]
pub struct EmbeddingsParts {
    /// The model server.
    pub model: Arc<dyn Model>,
    /// Hands out users' places.
    pub engine: Engine,
    /// What embeddings may cost.
    pub billing: Arc<Billing>,
    /// Where charges go.
    pub outbox: Outbox,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The life of the process.
    pub lifecycle: Lifecycle,
    /// Time and ids.
    pub clock: Clock,
    /// `STREAM_TIMEOUT`: how long all attempts may take together.
    pub limit: Duration,
}

/// What a request says beside its body.
#[derive(Debug, Clone)]
pub struct EmbeddingsContext {
    /// The id of the request.
    pub request_id: Arc<str>,
    /// The trace that it belongs to.
    pub traceparent: Option<HeaderValue>,
}

/// What a request is answered with.
#[derive(Debug)]
pub struct Embeddings {
    /// OpenAI's list of embeddings, as the model wrote it.
    pub body: Bytes,
    /// How long the model was waited for.
    pub waited: Duration,
}

/// Embeddings.
pub struct EmbeddingsService(EmbeddingsParts);

impl EmbeddingsService {
    /// A service of these parts.
    #[must_use]
    pub const fn new(parts: EmbeddingsParts) -> Self {
        Self(parts)
    }

    /// Has the inputs embedded. Nothing is stored but the usage. `body` is the whole request, which is passed on.
    ///
    /// # Errors
    /// What is wrong with the request, a limit, or what the model refused it with.
    pub async fn embed(
        &self,
        caller: &Caller,
        context: EmbeddingsContext,
        request: &EmbeddingsRequest,
        body: RawObject,
    ) -> Result<Embeddings, ApiError> {
        validation::check(request)?;
        let parts = &self.0;
        let model = self.model(&request.model)?;
        let admission = parts.engine.admit(caller.user_id).await?;
        let size = InputsSize::of(request.input.items());
        let reservation = Reservation {
            id: StreamId::new(&parts.clock),
            user_id: caller.user_id,
            request_id: context.request_id.clone(),
            model: model.clone(),
            streamed: false,
            sent_bytes: size.as_bytes_of_text(),
            input_tokens: size.tokens_at_most(),
            terms: parts.billing.input_terms(&model, unbounded_by(&body)).await,
        };
        let call = ModelCall {
            request_id: context.request_id,
            user: caller.user_id,
            model,
            body,
            traceparent: context.traceparent,
            attempts: AttemptLog::default(),
        };
        let span = tracing::error_span!("embeddings", request_id = &*call.request_id, user_id = %call.user);
        let task = Task {
            parts: parts.clone(),
            hard: parts.lifecycle.hard().clone(),
            inputs: request.input.items().len(),
            reservation,
            call,
        };
        // The task of the tracker goes on when nobody waits for it any more.
        let answer = parts
            .lifecycle
            .spawn(Box::pin(task.run(admission).instrument(span)));
        let answer = answer.await.map_err(ApiError::internal)??;
        Ok(Embeddings {
            body: answer.body,
            waited: answer.waited,
        })
    }

    fn model(&self, name: &str) -> Result<Arc<str>, ApiError> {
        let server = &self.0.model;
        if server.surely_lacks(name) {
            let message = format!("There is no model `{name}`.");
            return Err(ApiError::new(ErrorCode::ModelNotFound, message).with_param("model"));
        }
        if !server.may_embed(name) {
            return Err(ApiError::invalid_field("model", "makes no embeddings"));
        }
        Ok(Arc::from(name))
    }
}

/// One request, from what is held back for it to its entry in the ledger.
struct Task {
    parts: EmbeddingsParts,
    hard: CancellationToken,
    inputs: usize,
    reservation: Reservation,
    call: ModelCall,
}

impl Task {
    async fn run(self, admission: Admission) -> Result<Completion, ApiError> {
        let result = self.embed().await;
        admission.give_back().await;
        result
    }

    async fn embed(self) -> Result<Completion, ApiError> {
        let Self { parts, call, .. } = &self;
        let (id, sent_bytes) = (self.reservation.id, self.reservation.sent_bytes);
        let open = parts.billing.hold(self.reservation.clone()).await?;
        let started = tokio::time::Instant::now();
        let (status, result, has_worked) = tokio::select! {
            biased;
            () = self.hard.cancelled() => (MessageStatus::Interrupted, Err(interrupted()), true),
            () = open.stopped.cancelled() => (MessageStatus::Cancelled, Err(interrupted()), true),
            () = tokio::time::sleep(parts.limit) => failed(ModelError::timeout(TimeoutStage::Total)),
            answer = parts.model.embed(call) => match answer {
                Ok(answer) => (MessageStatus::Completed, Ok(answer), true),
                Err(error) => failed(error),
            },
        };
        let took = started.elapsed();
        let sent_bytes = usize::try_from(sent_bytes).unwrap_or(usize::MAX);
        let (model, mut usage) = match &result {
            Ok(answer) => {
                let mut usage = AnswerUsage::of_input(answer.usage, sent_bytes);
                usage.cost = answer.cost.or_else(|| parts.billing.cost(&answer.model, &usage));
                (answer.model.clone(), usage)
            }
            // It has read what it was sent.
            Err(_) if has_worked => {
                let mut usage = AnswerUsage::of_input(None, sent_bytes);
                usage.cost = parts.billing.cost(&call.model, &usage);
                (call.model.clone(), usage)
            }
            Err(_) => (call.model.clone(), AnswerUsage::default()),
        };
        usage.cap_estimate(open.hold.amount);
        parts.billing.count(&model, &usage, open.hold.amount);
        self.report(&model, status, &usage);
        let event = UsageEvent {
            id,
            user_id: call.user,
            request_id: call.request_id.clone(),
            conversation_id: None,
            message_id: None,
            model,
            status,
            streamed: false,
            usage,
            attempts: call.attempts.take(),
            latency_ms: u64::try_from(took.as_millis()).ok(),
            first_token_ms: None,
            provisional: false,
            created_at: parts.clock.now(),
        };
        let limit = if self.hard.is_cancelled() {
            LAST_SAVE
        } else {
            Duration::MAX
        };
        parts.outbox.record_usage(event, limit).await;
        drop(open);
        result
    }

    /// Counts a request that has ended, and tells of it as a business event.
    fn report(&self, model: &str, status: MessageStatus, usage: &AnswerUsage) {
        let metrics = &self.parts.metrics;
        let label = metrics.model_label(model);
        metrics
            .embeddings
            .with_label_values(&[label, status.as_str()])
            .inc();
        metrics
            .embeddings_tokens
            .with_label_values(&[label])
            .inc_by(usage.prompt_tokens);
        let event = match status {
            MessageStatus::Completed => "embeddings_completed",
            MessageStatus::Interrupted => "embeddings_interrupted",
            MessageStatus::Failed | MessageStatus::Cancelled | MessageStatus::Streaming => {
                "embeddings_failed"
            }
        };
        tracing::info!(
            event,
            user_id = %self.call.user,
            model,
            inputs = self.inputs,
            tokens = usage.prompt_tokens,
            cost_usd = usage.cost.map(tracing::field::display),
            "business_event"
        );
    }
}

/// How a request ended that a model did not answer, and whether it had been at work.
fn failed(error: ModelError) -> (MessageStatus, Result<Completion, ApiError>, bool) {
    let status = match error.kind() {
        ModelErrorKind::Interrupted => MessageStatus::Interrupted,
        _ => MessageStatus::Failed,
    };
    let has_worked = error.came_after_work();
    (status, Err(error.into()), has_worked)
}

fn interrupted() -> ApiError {
    ApiError::new(
        ErrorCode::StreamInterrupted,
        "The embeddings were not made: this instance had to stop.",
    )
}
