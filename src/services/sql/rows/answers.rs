//! Running answers, and how they end.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::RowsResult;
use crate::models::ids::{BranchId, ConversationId, InstanceId, MessageId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::services::conversations::{FinishedAnswer, IdempotencyKey};

/// An answer that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningAnswer {
    /// Its stream.
    pub stream_id: StreamId,
    /// The branch that it is on.
    pub branch_id: BranchId,
    /// What its turn was appended to.
    pub parent_id: Option<MessageId>,
    /// What it answers.
    pub user_message_id: MessageId,
    /// Its place.
    pub message_id: MessageId,
}

/// The place of an answer, taken for one generation.
#[derive(Debug, Clone)]
pub struct ClaimRow {
    /// The stream that will produce it.
    pub stream_id: StreamId,
    /// The instance that does.
    pub instance_id: InstanceId,
    /// Whose it is.
    pub user_id: UserId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The branch.
    pub branch_id: BranchId,
    /// What the turn was appended to.
    pub parent_id: Option<MessageId>,
    /// What it answers.
    pub user_message_id: MessageId,
    /// Its place.
    pub message_id: MessageId,
    /// The model that is asked.
    pub model: Arc<str>,
    /// The request that asked.
    pub request_id: Arc<str>,
    /// Whether the client reads a stream.
    pub streamed: bool,
    /// Bytes of text that the model is sent.
    pub sent_bytes: u64,
    /// When.
    pub started_at: DateTime<Utc>,
}

/// The answer that a request with an idempotency key led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyedAnswer {
    /// SHA-256 of the request's body.
    pub request_hash: [u8; 32],
    /// The stream.
    pub stream_id: StreamId,
    /// What it answered, and where; `None` if that was deleted.
    pub question: Option<(ConversationId, MessageId)>,
    /// Whether its message is there: it is not, if the model refused or somebody deleted it.
    pub has_message: bool,
    /// How it ended, or `streaming`.
    pub status: Option<MessageStatus>,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimState {
    /// `streaming`, or how the answer ended.
    pub status: MessageStatus,
    /// Whether another than who produced the answer closed it.
    pub taken_over: bool,
}

/// Running answers, and how they end.
#[async_trait]
pub trait AnswerRows {
    /// All answers of the conversation that are being written.
    async fn running(&mut self, conversation: ConversationId) -> RowsResult<Vec<RunningAnswer>>;

    /// Notes a running answer.
    async fn insert_claim(&mut self, row: &ClaimRow) -> RowsResult<()>;

    /// Takes a key for a stream; false if it was taken after `expired`. Whoever takes the same one at the same time waits.
    async fn take_key(
        &mut self,
        user: UserId,
        key: &IdempotencyKey,
        stream: StreamId,
        (now, expired): (DateTime<Utc>, DateTime<Utc>),
    ) -> RowsResult<bool>;

    /// What a key that was taken after `expired` led to.
    async fn keyed_answer(
        &mut self,
        user: UserId,
        key: &str,
        expired: DateTime<Utc>,
    ) -> RowsResult<Option<KeyedAnswer>>;

    /// Lets a key lead to another stream.
    async fn move_key(&mut self, user: UserId, key: &str, stream: StreamId) -> RowsResult<()>;

    /// What became of a claim, if it is known; it stays so until the transaction ends.
    async fn claim(&mut self, id: StreamId) -> RowsResult<Option<ClaimState>>;

    /// Writes an answer into its place, which has the status `from`, and makes it searchable; false if there is no such
    /// place.
    async fn fill_place(
        &mut self,
        answer: &FinishedAnswer,
        from: MessageStatus,
        to: MessageStatus,
    ) -> RowsResult<bool>;

    /// Notes how an answer ended, and with which error where it is not whole. Its checkpoints go, unless it was interrupted:
    /// then somebody may come back for it.
    async fn end_claim(
        &mut self,
        id: StreamId,
        end: ClaimState,
        error: Option<&RawValue>,
        now: DateTime<Utc>,
    ) -> RowsResult<()>;
}
