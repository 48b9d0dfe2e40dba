//! What is durable about running answers: who is producing what, and the text so far.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::turn::TurnIds;
use crate::models::ids::{ConversationId, InstanceId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::services::conversations::FinishedAnswer;
use crate::utils::database::DatabaseError;
use crate::utils::errors::ApiError;

/// Abandoned answers that are looked at at once.
pub const ABANDONED_BATCH: u32 = 200;

/// Text that a running answer gained since its last checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The answer.
    pub stream_id: StreamId,
    /// The id of the first event that it covers.
    pub first_event: u64,
    /// The text of all of them.
    pub content: String,
    /// The reasoning of all of them.
    pub reasoning: String,
    /// For each event, how many bytes of `content` and of `reasoning` it brought.
    pub marks: Vec<(u32, u32)>,
    /// The tool calls so far, whole, with their numbers: a JSON array of pairs. `None` where they did not change.
    pub tool_calls: Option<String>,
}

impl Checkpoint {
    /// The id after that of the last event that it covers.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first_event + self.marks.len() as u64
    }
}

/// An answer that a stopped process left unfinished.
#[derive(Debug, Clone)]
pub struct UnfinishedGeneration {
    /// The answer as far as the generation's row tells; text and usage are empty.
    pub answer: FinishedAnswer,
    /// Bytes of text that the model was sent.
    pub sent_bytes: u64,
}

/// What is known of an answer after its stream has left the memory.
#[derive(Debug, Clone)]
pub struct GenerationRecord {
    /// Where it stands.
    pub turn: TurnIds,
    /// Whether its message is there: it is not, if the model refused or somebody deleted it.
    pub has_message: bool,
    /// The request that asked for it.
    pub request_id: String,
    /// The model that was asked.
    pub model: String,
    /// How it ended, or `streaming`.
    pub status: MessageStatus,
    /// What its stream ended with, where it is not whole and that is known.
    pub error: Option<ApiError>,
    /// When it was begun.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Where running answers are recorded. The row of an answer is made by `append_turn` and ended by `save_answer`,
/// in their transactions.
#[async_trait]
pub trait GenerationRecords: Send + Sync + 'static {
    /// Appends what running answers gained, all in one transaction.
    ///
    /// # Errors
    /// A failing database; nothing is written then.
    async fn append_checkpoints(&self, checkpoints: Vec<Checkpoint>) -> Result<(), DatabaseError>;

    /// The checkpoints of an answer that cover events from this one on, in order.
    ///
    /// # Errors
    /// A failing database.
    async fn checkpoints(&self, stream: StreamId, from: u64) -> Result<Vec<Checkpoint>, DatabaseError>;

    /// Says that this instance is alive, and so are the answers that it produces.
    ///
    /// # Errors
    /// A failing database.
    async fn renew_lease(&self) -> Result<(), DatabaseError>;

    /// Says that this instance produces nothing any more.
    ///
    /// # Errors
    /// A failing database.
    async fn end_lease(&self) -> Result<(), DatabaseError>;

    /// The other instances that said nothing for so long, and did not give up their lease. They are known for a day.
    ///
    /// # Errors
    /// A failing database.
    async fn silent(&self, silence: Duration) -> Result<Vec<InstanceId>, DatabaseError>;

    /// Answers that are recorded as running in this instance, begun before then or whenever, but for those that are `known`.
    /// What waits in the outbox is not among them, unless it is dead there.
    ///
    /// # Errors
    /// A failing database.
    async fn unfinished_here(
        &self,
        before: Option<DateTime<Utc>>,
        known: &[StreamId],
    ) -> Result<Vec<UnfinishedGeneration>, DatabaseError>;

    /// Answers that are recorded as running by instances which said nothing for so long, the oldest first. What waits in
    /// the outbox is not among them; its dead letters are. At most [`ABANDONED_BATCH`].
    ///
    /// # Errors
    /// A failing database.
    async fn abandoned(&self, silence: Duration) -> Result<Vec<UnfinishedGeneration>, DatabaseError>;

    /// Asks whoever produces an answer of this user to stop; false if it does not run.
    ///
    /// # Errors
    /// A failing database.
    async fn request_cancel(&self, user: UserId, stream: StreamId) -> Result<bool, DatabaseError>;

    /// The running answers of this instance that others were asked to stop.
    ///
    /// # Errors
    /// A failing database.
    async fn cancel_requests(&self) -> Result<Vec<StreamId>, DatabaseError>;

    /// The answers of a conversation that still run, the one that was begun last at the end.
    ///
    /// # Errors
    /// A failing database.
    async fn running_in(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Vec<StreamId>, DatabaseError>;

    /// What is known of an answer of this user.
    ///
    /// # Errors
    /// A failing database.
    async fn generation(
        &self,
        user: UserId,
        stream: StreamId,
    ) -> Result<Option<GenerationRecord>, DatabaseError>;

    /// Forgets idempotency keys that were taken before then; tells how many. Bounded per call.
    ///
    /// # Errors
    /// A failing database.
    async fn forget_keys(&self, before: DateTime<Utc>) -> Result<u64, DatabaseError>;

    /// Forgets answers that ended before then, with their checkpoints; those that were closed for want of who produced
    /// them, if that was before `taken_over_before`. Tells how many. Bounded per call.
    ///
    /// # Errors
    /// A failing database.
    async fn forget_ended(
        &self,
        before: DateTime<Utc>,
        taken_over_before: DateTime<Utc>,
    ) -> Result<u64, DatabaseError>;
}
