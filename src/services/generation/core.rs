//! What the parts of the engine share: the services it works with, the answers it holds, and what is done with
//! them from more than one place.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;
use tokio::time::Instant;

use super::places::Places;
use super::records::{Checkpoint, GenerationRecords};
use super::registry::Registry;
use super::replay::{ReplayBudget, ReplayLog};
use super::shared::Sharing;
use crate::models::ids::{ConversationId, InstanceId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::models::money::Money;
use crate::services::billing::{AnswerUsage, Billing};
use crate::services::conversations::{ConversationStore, KEYS_KEPT, StoreError};
use crate::services::lifecycle::Lifecycle;
use crate::services::llm::Model;
use crate::services::outbox::Outbox;
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;
use crate::utils::errors::ApiError;
use crate::utils::metrics::Metrics;

/// Logs trimmed before a writer goes on although the budget is exceeded: the next chunk trims on.
const MAX_TRIMS: u32 = 24;

/// How long ended answers stay in the records: longer than [`KEYS_KEPT`], since keys lead to them.
const RECORDS_KEPT: TimeDelta = TimeDelta::days(2);

/// How long those stay that another instance closed: who produced one may bring it for so long, and it is not known as
/// late without its record.
const TAKEN_OVER_KEPT: TimeDelta = TimeDelta::days(30);

/// The engine's settings.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// `MAX_CONCURRENT_STREAMS_PER_USER`.
    pub max_streams_per_user: usize,
    /// `STREAM_TIMEOUT`.
    pub stream_timeout: Duration,
    /// `STREAM_RETENTION_SECONDS`.
    pub stream_retention: Duration,
    /// `REPLAY_MAX_BYTES`.
    pub replay_max_bytes: usize,
    /// `CHECKPOINT_SECONDS`.
    pub checkpoint_interval: Duration,
}

pub(super) struct EngineCore {
    pub(super) model: Arc<dyn Model>,
    pub(super) store: Arc<dyn ConversationStore>,
    pub(super) records: Arc<dyn GenerationRecords>,
    pub(super) billing: Arc<Billing>,
    pub(super) outbox: Outbox,
    pub(super) metrics: Arc<Metrics>,
    pub(super) lifecycle: Lifecycle,
    pub(super) clock: Clock,
    pub(super) settings: EngineSettings,
    pub(super) registry: Registry,
    pub(super) places: Arc<Places>,
    pub(super) budget: Arc<ReplayBudget>,
    /// The logs in Redis, if there is one.
    pub(super) sharing: Option<Sharing>,
    pub(super) making_room: Mutex<()>,
    /// Since when the lease was renewed whenever it was due.
    pub(super) leased: watch::Sender<Option<Instant>>,
    /// Other instances that said nothing for a lease's time.
    pub(super) silent: watch::Sender<HashSet<InstanceId>>,
}

/// One answer, for the metrics and the log.
pub(crate) struct AnswerReport<'a> {
    pub(crate) model: &'a str,
    pub(crate) user: UserId,
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) status: MessageStatus,
    pub(crate) streamed: bool,
    pub(crate) usage: &'a AnswerUsage,
    /// What was held back for it.
    pub(crate) held: Option<Money>,
    pub(crate) took: Duration,
}

impl EngineCore {
    /// The log of a new answer. One that is kept is shared, where that is possible.
    pub(super) fn new_log(&self, id: StreamId, keep: bool) -> ReplayLog {
        match &self.sharing {
            Some(sharing) if keep => ReplayLog::copied(id, sharing.queue.clone(), self.budget.clone()),
            _ => ReplayLog::new(keep, self.budget.clone()),
        }
    }

    /// Brings the logs back into their budget: ended ones go first, then the oldest events of whichever running
    /// answer holds the most.
    pub(super) fn make_room(&self) {
        // One at a time is enough, and the others go on writing.
        let Ok(_one) = self.making_room.try_lock() else {
            return;
        };
        while self.budget.is_exceeded() && self.registry.forget_oldest() {}
        for _ in 0..MAX_TRIMS {
            if !self.budget.is_exceeded() {
                break;
            }
            let largest = self.registry.largest();
            if !largest.is_some_and(|largest| largest.log.trim()) {
                break;
            }
        }
    }

    /// Writes checkpoints; a failure is counted and the text stays unsaved, to be tried again.
    pub(super) async fn checkpoint(&self, checkpoints: Vec<Checkpoint>) -> bool {
        match self.records.append_checkpoints(checkpoints).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "a checkpoint could not be written");
                self.metrics
                    .best_effort_failures
                    .with_label_values(&["checkpoint"])
                    .inc();
                false
            }
        }
    }

    /// Counts an answer that has ended, and tells of it as a business event.
    pub(super) fn report(&self, answer: &AnswerReport<'_>) {
        self.count(answer);
        let event = match answer.status {
            MessageStatus::Completed => "chat_completed",
            MessageStatus::Cancelled => "chat_cancelled",
            MessageStatus::Interrupted => "chat_interrupted",
            MessageStatus::Failed | MessageStatus::Streaming => "chat_failed",
        };
        tracing::info!(
            event,
            user_id = %answer.user,
            conversation_id = answer.conversation.map(tracing::field::display),
            model = answer.model,
            tokens = answer.usage.total_tokens(),
            cost_usd = answer.usage.cost.map(tracing::field::display),
            "business_event"
        );
    }

    fn count(&self, answer: &AnswerReport<'_>) {
        let metrics = &self.metrics;
        let model = metrics.model_label(answer.model);
        let user = answer.user.to_string();
        let user = metrics.user_label(&user);
        let stream = if answer.streamed { "true" } else { "false" };
        metrics
            .chat_completions
            .with_label_values(&[model, user, answer.status.as_str(), stream])
            .inc();
        metrics
            .chat_completion_duration
            .with_label_values(&[model])
            .observe(answer.took.as_secs_f64());
        let usage = answer.usage;
        for (kind, tokens) in [
            ("input", usage.prompt_tokens),
            ("output", usage.completion_tokens),
            ("cached", usage.cached_tokens.unwrap_or_default()),
            ("reasoning", usage.reasoning_tokens.unwrap_or_default()),
        ] {
            metrics
                .chat_tokens
                .with_label_values(&[model, kind])
                .inc_by(tokens);
        }
        self.billing.count(answer.model, usage, answer.held);
    }

    /// Forgets ended answers and idempotency keys whose time is over.
    pub(super) async fn sweep(&self) {
        let now = self.clock.now();
        let swept = async {
            let (ended, taken_over) = (now - RECORDS_KEPT, now - TAKEN_OVER_KEPT);
            while self.records.forget_ended(ended, taken_over).await? > 0 {}
            while self.records.forget_keys(now - KEYS_KEPT).await? > 0 {}
            Ok::<_, DatabaseError>(())
        };
        if let Err(error) = swept.await {
            tracing::warn!(%error, "what is over could not be swept");
            self.metrics
                .best_effort_failures
                .with_label_values(&["sweep"])
                .inc();
        }
    }
}

pub(super) fn unavailable(error: DatabaseError) -> ApiError {
    StoreError::from(error).into()
}
