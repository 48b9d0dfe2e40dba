//! The engine: starts answers, finds them again, and keeps what they need.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::core::{AnswerReport, EngineCore, EngineSettings, unavailable};
use super::handle::{DisconnectPolicy, Generation, NewGeneration, Subscription};
use super::places::{Admission, Places};
use super::reader::Reader;
use super::records::{GenerationRecord, GenerationRecords};
use super::registry::Registry;
use super::remote::{self, RemoteReader};
use super::replay::ReplayBudget;
use super::shared::{self, LogName, SharedLogs, Sharing};
use super::task::{self, ModelJob};
use super::turn::Kind;
use super::{checkpointer, lease, orphans, stop};
use crate::models::ids::{ConversationId, InstanceId, MessageId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::services::billing::Billing;
use crate::services::conversations::ConversationStore;
use crate::services::lifecycle::Lifecycle;
use crate::services::llm::Model;
use crate::services::outbox::Outbox;
use crate::services::redis::Redis;
use crate::utils::clock::Clock;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::metrics::Metrics;

/// How often expired logs are looked for.
const JANITOR_INTERVAL: Duration = Duration::from_secs(1);

/// How often ended answers are swept from the records.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3_600);

/// What the engine works with.
pub struct EngineParts {
    /// The model server.
    pub model: Arc<dyn Model>,
    /// Where conversations are kept.
    pub store: Arc<dyn ConversationStore>,
    /// Where running answers are recorded.
    pub records: Arc<dyn GenerationRecords>,
    /// What answers cost, and what is held back for them.
    pub billing: Arc<Billing>,
    /// Where answers go that cannot be stored.
    pub outbox: Outbox,
    /// Where logs are shared with other instances.
    pub redis: Option<Redis>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The life of the process.
    pub lifecycle: Lifecycle,
    /// Time and ids.
    pub clock: Clock,
    /// Its settings.
    pub settings: EngineSettings,
}

/// Produces answers. Cheap to clone.
#[derive(Clone)]
pub struct Engine(pub(super) Arc<EngineCore>);

/// An answer that is to be begun.
pub struct StartGeneration {
    /// Its id.
    pub id: StreamId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is for.
    pub kind: Kind,
    /// When it was begun; where it is recorded, as it is recorded, so that every instance tells the same.
    pub begun_at: DateTime<Utc>,
    /// Whether the client reads it as a stream.
    pub streamed: bool,
    /// Whether it can be read again from its start.
    pub keep_log: bool,
    /// What becomes of it when nobody reads it.
    pub policy: DisconnectPolicy,
    /// What the model is to be asked.
    pub job: ModelJob,
    /// The user's place.
    pub admission: Admission,
}

/// A stream that somebody asks for.
pub enum Found {
    /// It runs, or ended a while ago.
    Live(Reader),
    /// It ended longer ago than it is kept; its message can be read.
    Gone(MessageId),
    /// There is no such stream, or it is someone else's.
    Nothing,
}

impl Engine {
    /// An engine; what runs beside the answers is [`background`](Self::background).
    #[must_use]
    pub fn new(parts: EngineParts) -> Self {
        let budget = Arc::new(ReplayBudget::new(parts.settings.replay_max_bytes));
        Self(Arc::new(EngineCore {
            model: parts.model,
            store: parts.store,
            records: parts.records,
            billing: parts.billing,
            outbox: parts.outbox,
            metrics: parts.metrics,
            lifecycle: parts.lifecycle,
            clock: parts.clock.clone(),
            settings: parts.settings,
            registry: Registry::default(),
            places: Arc::new(Places::new(parts.redis.as_ref(), parts.clock.clone())),
            budget,
            sharing: parts.redis.as_ref().map(|redis| Sharing {
                logs: SharedLogs::new(redis),
                queue: Arc::default(),
            }),
            making_room: Mutex::default(),
            leased: watch::Sender::new(None),
            silent: watch::Sender::default(),
        }))
    }

    /// The model server that it asks.
    #[must_use]
    pub fn model(&self) -> &Arc<dyn Model> {
        &self.0.model
    }

    /// What answers cost.
    pub(crate) fn billing(&self) -> &Billing {
        &self.0.billing
    }

    /// Takes a place for one answer of this user.
    ///
    /// # Errors
    /// `DRAINING`, `RATE_LIMIT_EXCEEDED` past the user's limit, `OVERLOADED` when the logs of running answers fill
    /// the memory that all logs may use.
    pub async fn admit(&self, user: UserId) -> Result<Admission, ApiError> {
        let inner = &self.0;
        if inner.lifecycle.is_draining() {
            return Err(ApiError::new(
                ErrorCode::Draining,
                "This instance is about to stop. Try again.",
            ));
        }
        while inner.budget.is_exceeded() {
            if !inner.registry.forget_oldest() {
                return Err(ApiError::new(
                    ErrorCode::Overloaded,
                    "Too many answers are being written at once.",
                ));
            }
        }
        let limit = inner.settings.max_streams_per_user;
        inner.places.take(user, limit).await.ok_or_else(|| {
            tracing::warn!(event = "rate_limited", user_id = %user, "security_event");
            ApiError::new(
                ErrorCode::RateLimitExceeded,
                "Too many of your answers are being written at once.",
            )
            .with_detail("limit", limit)
        })
    }

    /// Begins an answer and attaches its first reader.
    #[must_use]
    pub fn start(&self, start: StartGeneration) -> Subscription {
        let inner = &self.0;
        let generation = Arc::new(Generation::new(NewGeneration {
            id: start.id,
            user_id: start.user_id,
            request_id: start.job.call.request_id.clone(),
            kind: start.kind,
            streamed: start.streamed,
            created: start.begun_at,
            policy: start.policy,
            log: inner.new_log(start.id, start.keep_log),
            stop: inner.lifecycle.hard().child_token(),
            metrics: inner.metrics.clone(),
        }));
        // Held first: what is in a log is looked for there.
        if start.keep_log {
            inner.registry.insert(&generation);
        }
        generation.begin_log(&start.job.call.model);
        let reader = generation.subscribe(0);
        // An error span: its fields must stand in the lines that remain at any LOG_LEVEL.
        let span = tracing::error_span!(
            "generation",
            request_id = &*generation.request_id,
            user_id = %generation.user_id,
            stream_id = %generation.id,
        );
        let task = task::run(inner.clone(), generation, start.job, start.admission);
        // On the heap: the task's state is large, and it is moved about by whoever runs it.
        inner.lifecycle.spawn(Box::pin(task.instrument(span)));
        reader
    }

    /// Finds a stream of this user, to be read from the event after `after`.
    ///
    /// # Errors
    /// A failing database.
    pub async fn find(&self, user: UserId, id: StreamId, after: u64) -> Result<Found, ApiError> {
        let inner = &self.0;
        if let Some(generation) = inner.registry.get(user, id) {
            inner.metrics.stream_resumes.inc();
            generation.open();
            return Ok(Found::Live(Reader::Here(generation.subscribe(after))));
        }
        let record = inner.records.generation(user, id).await.map_err(unavailable)?;
        let is_recorded = record.as_ref().is_some_and(|record| self.has_stream(record));
        let was_withdrawn = record.as_ref().is_some_and(|record| !record.has_message);
        let name = LogName {
            user,
            stream: id,
            recorded: record.is_some(),
        };
        if is_recorded || (!was_withdrawn && remote::has_log(inner, name).await?) {
            return Ok(Found::Live(self.read_elsewhere(user, id, record, after)));
        }
        Ok(match record {
            Some(record) if record.has_message => Found::Gone(record.turn.message_id),
            _ => Found::Nothing,
        })
    }

    /// Whether the stream of an answer can be read from what is recorded of it.
    fn has_stream(&self, record: &GenerationRecord) -> bool {
        let inner = &self.0;
        let kept = chrono::Duration::from_std(inner.settings.stream_retention).unwrap_or(TimeDelta::MAX);
        let is_recent = record
            .ended_at
            .is_some_and(|ended| inner.clock.now().signed_duration_since(ended) < kept);
        match record.status {
            MessageStatus::Streaming => true,
            MessageStatus::Interrupted => is_recent,
            MessageStatus::Completed | MessageStatus::Cancelled | MessageStatus::Failed => false,
        }
    }

    fn read_elsewhere(
        &self,
        user: UserId,
        id: StreamId,
        record: Option<GenerationRecord>,
        after: u64,
    ) -> Reader {
        self.0.metrics.stream_resumes.inc();
        let reader = RemoteReader::new(self.0.clone(), user, id, record, after);
        Reader::Elsewhere(Box::new(reader))
    }

    /// The answer of a stream from its start, however long ago it ended; `None` if it has no message any more.
    ///
    /// # Errors
    /// A failing database.
    pub async fn whole(&self, user: UserId, id: StreamId) -> Result<Option<Reader>, ApiError> {
        let inner = &self.0;
        if let Some(generation) = inner.registry.get(user, id) {
            inner.metrics.stream_resumes.inc();
            return Ok(Some(Reader::Here(generation.subscribe(0))));
        }
        let record = inner.records.generation(user, id).await.map_err(unavailable)?;
        let record = record.filter(|record| record.has_message);
        Ok(record.map(|record| self.read_elsewhere(user, id, Some(record), 0)))
    }

    /// The running answer of a conversation that was begun last, if there is one.
    ///
    /// # Errors
    /// A failing database.
    pub async fn running_in(
        &self,
        user: UserId,
        conversation: ConversationId,
        after: u64,
    ) -> Result<Option<Reader>, ApiError> {
        let inner = &self.0;
        if let Some(generation) = inner.registry.running_in(user, conversation) {
            inner.metrics.stream_resumes.inc();
            generation.open();
            return Ok(Some(Reader::Here(generation.subscribe(after))));
        }
        let running = inner.records.running_in(user, conversation);
        let Some(id) = running.await.map_err(unavailable)?.pop() else {
            return Ok(None);
        };
        match self.find(user, id, after).await? {
            Found::Live(reader) => Ok(Some(reader)),
            Found::Gone(_) | Found::Nothing => Ok(None),
        }
    }

    /// Stops an answer and waits until it is stored, at most so long. Tells how it ended and which message it is;
    /// `None` if there is no such answer.
    ///
    /// # Errors
    /// A failing database.
    pub async fn cancel(
        &self,
        user: UserId,
        id: StreamId,
        patience: Duration,
    ) -> Result<Option<(MessageStatus, Option<MessageId>)>, ApiError> {
        let Some(generation) = self.0.registry.get(user, id) else {
            return stop::cancel_elsewhere(&self.0, user, id, patience).await;
        };
        generation.cancel();
        let status = match tokio::time::timeout(patience, generation.ended()).await {
            Ok(ending) => ending?.status,
            Err(_) => MessageStatus::Streaming,
        };
        Ok(Some((status, generation.turn().map(|turn| turn.message_id))))
    }

    /// Counts an answer that was not produced here, and tells of it, as of the ones that were.
    pub(crate) fn report(&self, answer: &AnswerReport<'_>) {
        self.0.report(answer);
    }

    /// The background work of the engine, each part to be run until `stop` is cancelled: checkpoints, the lease, what others
    /// left, and what they ask to be stopped, sharing and forgetting logs, users' places, and sweeping the records.
    pub fn background(&self, stop: &CancellationToken) -> Vec<BoxFuture<'static, ()>> {
        vec![
            self.work(stop, |core, stop| Box::pin(lease::keep(core, stop))),
            self.work(stop, |core, stop| {
                Box::pin(every(lease::RENEW_INTERVAL, stop, || {
                    lease::close_abandoned(core)
                }))
            }),
            self.work(stop, |core, stop| {
                Box::pin(every(lease::LOST_INTERVAL, stop, || lease::close_lost(core)))
            }),
            self.work(stop, |core, stop| {
                Box::pin(every(lease::LOST_INTERVAL, stop, || orphans::settle_here(core)))
            }),
            self.work(stop, |core, stop| {
                Box::pin(every(stop::REQUESTS_INTERVAL, stop, || stop::obey_requests(core)))
            }),
            self.work(stop, |core, stop| Box::pin(stop::obey_published(core, stop))),
            self.work(stop, |core, stop| Box::pin(checkpointer::run(core, stop))),
            self.work(stop, |core, stop| Box::pin(shared::run(core, stop))),
            self.work(stop, |core, stop| Box::pin(core.places.keep(stop))),
            self.work(stop, |core, stop| {
                let forget = || async { core.registry.forget_expired(core.settings.stream_retention) };
                Box::pin(every(JANITOR_INTERVAL, stop, forget))
            }),
            self.work(stop, |core, stop| {
                Box::pin(async {
                    core.sweep().await;
                    every(SWEEP_INTERVAL, stop, || core.sweep()).await;
                })
            }),
        ]
    }

    fn work(
        &self,
        stop: &CancellationToken,
        work: impl for<'a> FnOnce(&'a EngineCore, &'a CancellationToken) -> BoxFuture<'a, ()> + Send + 'static,
    ) -> BoxFuture<'static, ()> {
        let (core, stop) = (self.0.clone(), stop.clone());
        Box::pin(async move { work(&core, &stop).await })
    }

    /// Takes up the lease of this instance, and closes what its last process left unfinished, but for the streams that wait
    /// in the outbox: their answers are whole.
    ///
    /// # Errors
    /// A failing database.
    pub async fn recover(&self, waiting: &HashSet<StreamId>) -> Result<(), ApiError> {
        lease::begin(&self.0, waiting).await
    }

    /// Other instances whose lease has run out: whatever they had still to say, they never will. Changes when there is one
    /// more.
    #[must_use]
    pub fn silent(&self) -> watch::Receiver<HashSet<InstanceId>> {
        self.0.silent.subscribe()
    }

    /// Gives up the lease of this instance, which produces nothing any more.
    pub async fn leave(&self) {
        lease::end(&self.0).await;
    }
}

async fn every<F: Future<Output = ()>>(
    interval: Duration,
    stop: &CancellationToken,
    mut work: impl FnMut() -> F,
) {
    let mut next = Instant::now() + interval;
    while tokio::time::timeout_at(next, stop.cancelled()).await.is_err() {
        work().await;
        next = Instant::now() + interval;
    }
}
