//! The task that produces one answer: from the model's stream into the replay log and the draft.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use super::core::EngineCore;
use super::finish::{Produced, finish};
use super::frames;
use super::handle::Generation;
use super::places::Admission;
use super::turn::Kind;
use crate::models::message::MessageStatus;
use crate::models::money::Money;
use crate::services::billing::{Hold, InputSize, OpenHold};
use crate::services::llm::{
    Chunk, Completion, Model, ModelCall, ModelError, ModelErrorKind, ModelEvent, ModelStream, TimeoutStage,
    is_usage_only,
};
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::json::RawObject;

/// Makes the request with a shorter context, for a model that found the first one too long; `None` if nothing
/// can be left out.
pub type Shorten = Box<dyn FnOnce() -> Option<RawObject> + Send>;

/// What the model is to be asked.
pub struct ModelJob {
    /// The call.
    pub call: ModelCall,
    /// The second try, if the messages are too long for the model.
    pub shorten: Option<Shorten>,
    /// When the request arrived.
    pub received: Instant,
    /// What is held back for it.
    pub hold: JobHold,
}

/// What is held back for an answer.
#[derive(Debug)]
pub enum JobHold {
    /// Its record says so: what becomes of that becomes of this.
    Recorded(Hold),
    /// It is recorded nowhere else.
    Open(OpenHold),
}

impl JobHold {
    /// How much.
    #[must_use]
    pub const fn amount(&self) -> Option<Money> {
        match self {
            Self::Recorded(hold) => hold.amount,
            Self::Open(open) => open.hold.amount,
        }
    }

    /// Completes when whoever produces the answer shall stop, if that is known by this alone.
    async fn stopped(&self) {
        match self {
            Self::Recorded(_) => std::future::pending().await,
            Self::Open(open) => open.stopped.cancelled().await,
        }
    }
}

/// Why an answer is stopped from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Its reader asked for it, or all of its readers went away.
    Cancelled,
    /// The process ends.
    Shutdown,
    /// It takes longer than an answer may.
    TooLong,
}

pub(super) async fn run(
    engine: Arc<EngineCore>,
    generation: Arc<Generation>,
    job: ModelJob,
    admission: Admission,
) {
    let running = Running::begin(&engine, &generation);
    let started = Instant::now();
    let attempts = job.call.attempts.clone();
    let mut task = Task {
        engine: &engine,
        generation: &generation,
        hold: &job.hold,
        started,
        received: job.received,
        model: job.call.model.clone(),
        header_cost: None,
        sent_bytes: 0,
        waited: Duration::ZERO,
        first_token: None,
        usage_chunk: None,
        completion: None,
        opened: false,
        has_worked: false,
    };
    // A fault of ours in the middle of an answer must not leave its readers waiting and its branch locked.
    let produced = AssertUnwindSafe(task.produce(job.call, job.shorten))
        .catch_unwind()
        .await;
    let (status, error) = produced.unwrap_or_else(|_| task.failed_by(internal_fault()));
    let produced = Produced {
        status,
        error,
        model: task.model,
        header_cost: task.header_cost,
        sent_bytes: task.sent_bytes,
        first_token: task.first_token,
        took: started.elapsed(),
        usage_chunk: task.usage_chunk,
        completion: task.completion,
        attempts: attempts.take(),
        held: job.hold.amount(),
        has_worked: task.has_worked,
    };
    finish(&engine, &generation, produced, admission).await;
    drop((running, job.hold));
}

/// Sees to it that an answer ends for everybody, even if its task panics or is abandoned.
struct Running<'a> {
    engine: &'a EngineCore,
    generation: &'a Generation,
}

impl<'a> Running<'a> {
    fn begin(engine: &'a EngineCore, generation: &'a Generation) -> Self {
        engine.metrics.active_streams.inc();
        Self { engine, generation }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.engine.metrics.active_streams.dec();
        if self.generation.ending().is_none() {
            tracing::error!(stream_id = %self.generation.id, "the task of an answer was lost");
            self.engine.registry.ended(self.generation);
            self.generation.lose(internal_fault());
        }
    }
}

fn internal_fault() -> ApiError {
    ApiError::new(ErrorCode::InternalError, "Something went wrong on our side.")
}

struct Task<'a> {
    engine: &'a EngineCore,
    generation: &'a Generation,
    hold: &'a JobHold,
    started: Instant,
    received: Instant,
    model: Arc<str>,
    header_cost: Option<Money>,
    sent_bytes: usize,
    /// Time spent waiting for upstreams until the first chunk.
    waited: Duration,
    first_token: Option<Duration>,
    usage_chunk: Option<Bytes>,
    completion: Option<Bytes>,
    opened: bool,
    /// Whether the model had been at work when it failed.
    has_worked: bool,
}

type Outcome = (MessageStatus, Option<ApiError>);

impl Task<'_> {
    /// Has the answer produced in the way that the client wants it.
    async fn produce(&mut self, call: ModelCall, shorten: Option<Shorten>) -> Outcome {
        let stop = stopped(self.engine, self.generation, self.hold);
        tokio::pin!(stop);
        if self.generation.streamed {
            let stream = tokio::select! {
                biased;
                why = &mut stop => return self.stopped(why),
                stream = self.ask(call, shorten, |model, call| model.stream(call)) => stream,
            };
            match stream {
                Ok(stream) => self.follow(stream, stop).await,
                Err(error) => self.failed(error),
            }
        } else {
            let completion = tokio::select! {
                biased;
                why = &mut stop => return self.stopped(why),
                completion = self.ask(call, shorten, |model, call| model.complete(call)) => completion,
            };
            match completion.and_then(|completion| self.take_whole(completion)) {
                Ok(()) => (MessageStatus::Completed, None),
                Err(error) => self.failed(error),
            }
        }
    }

    /// Asks the model, and once more with a shorter context if the messages are too long for it.
    async fn ask<T>(
        &mut self,
        mut call: ModelCall,
        shorten: Option<Shorten>,
        how: for<'a> fn(&'a dyn Model, &'a ModelCall) -> BoxFuture<'a, Result<T, ModelError>>,
    ) -> Result<T, ModelError> {
        let model = &*self.engine.model;
        self.sent_bytes = sent_bytes(&call);
        let asked = Instant::now();
        match how(model, &call).await {
            Err(error) if error.kind() == ModelErrorKind::ContextLength => {
                let Some(shorter) = shorten.and_then(|shorten| shorten()) else {
                    return Err(error);
                };
                tracing::info!("the context is too long for the model, trying once with a shorter one");
                call.attempts.note(&call.model, &error, asked.elapsed());
                call.body = shorter;
                self.sent_bytes = sent_bytes(&call);
                how(model, &call).await
            }
            other => other,
        }
    }

    /// Passes a stream on, chunk by chunk, to its end.
    async fn follow(
        &mut self,
        mut stream: ModelStream,
        mut stop: Pin<&mut impl Future<Output = Stop>>,
    ) -> Outcome {
        let generation = self.generation;
        self.model = stream.model.clone();
        self.header_cost = stream.header_cost;
        self.waited = stream.waited;
        generation.model_answered(stream.waited);
        loop {
            let event = tokio::select! {
                biased;
                why = &mut stop => return self.stopped(why),
                event = stream.events.next() => event,
            };
            match event {
                Some(Ok(ModelEvent::Chunk(data))) => {
                    if let Err(error) = self.chunk(&data) {
                        return self.failed(error);
                    }
                    if !generation.log.keeps() {
                        tokio::select! {
                            biased;
                            why = &mut stop => return self.stopped(why),
                            () = generation.log.room() => {}
                        }
                    }
                }
                Some(Ok(ModelEvent::Done)) => return (MessageStatus::Completed, None),
                Some(Err(error)) => return self.failed(error),
                None if generation.draft().finish_reason.is_some() => {
                    return (MessageStatus::Completed, None);
                }
                None => {
                    return self.failed(ModelError::new(
                        ModelErrorKind::Interrupted,
                        "the stream ended with neither a finish reason nor [DONE]",
                    ));
                }
            }
        }
    }

    /// Takes in a whole answer, as one chunk for whoever reads the stream.
    fn take_whole(&mut self, completion: Completion) -> Result<(), ModelError> {
        self.model = completion.model;
        self.header_cost = completion.cost;
        self.waited = completion.waited;
        self.generation.model_answered(completion.waited);
        let chunk = frames::chunk_of_completion(&completion.body).map_err(|error| {
            ModelError::new(
                ModelErrorKind::Garbled,
                &format!("a completion cannot be read: {error}"),
            )
        })?;
        self.chunk(&chunk)?;
        self.completion = Some(completion.body);
        Ok(())
    }

    /// Takes in one chunk: nothing here waits.
    fn chunk(&mut self, data: &Bytes) -> Result<(), ModelError> {
        let chunk = Chunk::parse(data).map_err(|error| {
            ModelError::new(
                ModelErrorKind::Garbled,
                &format!("a chunk cannot be read: {error}"),
            )
        })?;
        let generation = self.generation;
        let mut draft = generation.draft();
        let gain = draft.add(&chunk);
        if is_usage_only(&chunk) {
            self.usage_chunk = Some(data.clone());
            return Ok(());
        }
        draft.mark(gain);
        let too_large = draft.is_too_large();
        drop(draft);
        if chunk.usage.is_some() && !self.shows_usage() {
            generation.log.append(&without_usage(data));
        } else {
            generation.log.append(data);
        }
        if !self.opened {
            self.opened = true;
            generation.open();
        }
        if gain.token && self.first_token.is_none() && generation.streamed {
            self.saw_first_token();
        }
        if self.engine.budget.is_exceeded() {
            self.engine.make_room();
        }
        if too_large {
            return Err(ModelError::new(
                ModelErrorKind::TooLarge,
                "the answer is larger than an answer may be",
            ));
        }
        Ok(())
    }

    const fn shows_usage(&self) -> bool {
        matches!(self.generation.kind, Kind::Stateless { shows_usage: true })
    }

    fn saw_first_token(&mut self) {
        let took = self.started.elapsed();
        self.first_token = Some(took);
        let metrics = &self.engine.metrics;
        let label = metrics.model_label(&self.model);
        metrics
            .chat_time_to_first_token
            .with_label_values(&[label])
            .observe(took.as_secs_f64());
        let overhead = self.received.elapsed().saturating_sub(self.waited);
        metrics.chat_overhead.observe(overhead.as_secs_f64());
    }

    fn failed(&mut self, error: ModelError) -> Outcome {
        self.has_worked = error.came_after_work();
        let kind = error.kind();
        tracing::warn!(%error, kind = kind.as_str(), "the model did not finish its answer");
        self.failed_by(ApiError::from(error))
    }

    /// What there is of an answer was interrupted; where there is nothing, it failed.
    fn failed_by(&self, error: ApiError) -> Outcome {
        let status = match self.generation.draft().is_empty() {
            true => MessageStatus::Failed,
            false => MessageStatus::Interrupted,
        };
        (status, Some(self.with_place(error)))
    }

    /// Says where the message is that waits for an answer, and when to ask again.
    fn with_place(&self, error: ApiError) -> ApiError {
        let Some(turn) = self.generation.turn() else {
            return error.for_openai_clients();
        };
        let error = error
            .with_detail("conversation_id", turn.conversation_id.to_string())
            .with_detail("user_message_id", turn.user_message_id.to_string());
        if error.code() == ErrorCode::StreamInterrupted {
            error.with_detail("retry_after_ms", frames::RETRY_AFTER_MS)
        } else {
            error
        }
    }

    fn stopped(&mut self, why: Stop) -> Outcome {
        match why {
            Stop::Cancelled => (MessageStatus::Cancelled, None),
            Stop::TooLong => self.failed(ModelError::timeout(TimeoutStage::Total)),
            Stop::Shutdown => {
                let error = ApiError::new(
                    ErrorCode::StreamInterrupted,
                    "The service is being restarted. What was produced of the answer is stored.",
                );
                (MessageStatus::Interrupted, Some(self.with_place(error)))
            }
        }
    }
}

/// How much the model is sent, in bytes of text.
fn sent_bytes(call: &ModelCall) -> usize {
    let messages = call.body.get("messages").map(InputSize::of_messages);
    messages.map_or(0, |messages| {
        usize::try_from(messages.usual_bytes()).unwrap_or(usize::MAX)
    })
}

/// Completes when the answer must stop.
async fn stopped(engine: &EngineCore, generation: &Generation, hold: &JobHold) -> Stop {
    tokio::select! {
        // A child of the process's own token, so that a chunk takes no lock that other answers take.
        () = generation.stop.cancelled() => match engine.lifecycle.hard().is_cancelled() {
            true => Stop::Shutdown,
            false => Stop::Cancelled,
        },
        () = generation.abandoned() => Stop::Cancelled,
        () = hold.stopped() => Stop::Cancelled,
        () = tokio::time::sleep(engine.settings.stream_timeout) => Stop::TooLong,
    }
}

/// The chunk without its `usage`, everything else as the model wrote it.
fn without_usage(data: &Bytes) -> Bytes {
    let stripped = serde_json::from_slice::<RawObject>(data).and_then(|mut chunk| {
        chunk.remove("usage");
        serde_json::to_vec(&chunk)
    });
    stripped.map_or_else(|_| data.clone(), Bytes::from)
}
