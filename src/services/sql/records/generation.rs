//! Answers as they are read: running, unfinished, ended.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::StoredTime;
use crate::models::ids::{BranchId, ConversationId, MessageId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::services::billing::AnswerUsage;
use crate::services::conversations::{AnswerOutcome, FinishedAnswer};
use crate::services::generation::{Checkpoint, GenerationRecord, TurnIds, UnfinishedGeneration};
use crate::services::sql::rows::{ClaimState, KeyedAnswer, RunningAnswer};
use crate::services::sql::values::{count, named};
use crate::utils::database::DatabaseError;
use crate::utils::errors::ApiError;

/// The columns of an answer that is being written.
#[derive(Debug, FromRow)]
pub(in super::super) struct RunningRecord {
    id: StreamId,
    branch_id: BranchId,
    parent_id: Option<MessageId>,
    user_message_id: MessageId,
    message_id: MessageId,
}

impl From<RunningRecord> for RunningAnswer {
    fn from(record: RunningRecord) -> Self {
        Self {
            stream_id: record.id,
            branch_id: record.branch_id,
            parent_id: record.parent_id,
            user_message_id: record.user_message_id,
            message_id: record.message_id,
        }
    }
}

/// The columns of a claim.
#[derive(Debug, FromRow)]
pub(in super::super) struct ClaimRecord {
    status: String,
    taken_over: bool,
}

impl ClaimRecord {
    pub(in super::super) fn into_state(self) -> Result<ClaimState, DatabaseError> {
        Ok(ClaimState {
            status: named(MessageStatus::from_name, &self.status)?,
            taken_over: self.taken_over,
        })
    }
}

/// The columns of a key, and of the answer that it led to.
#[derive(Debug, FromRow)]
pub(in super::super) struct KeyedRecord {
    request_hash: Vec<u8>,
    stream_id: StreamId,
    conversation_id: Option<ConversationId>,
    user_message_id: Option<MessageId>,
    has_message: bool,
    status: Option<String>,
}

impl KeyedRecord {
    pub(in super::super) fn into_answer(self) -> Result<KeyedAnswer, DatabaseError> {
        let status = self.status.as_deref();
        Ok(KeyedAnswer {
            request_hash: self
                .request_hash
                .try_into()
                .map_err(|_| DatabaseError::corrupt("hash", "it is not 32 bytes long"))?,
            stream_id: self.stream_id,
            question: self.conversation_id.zip(self.user_message_id),
            has_message: self.has_message,
            status: status
                .map(|status| named(MessageStatus::from_name, status))
                .transpose()?,
        })
    }
}

/// The columns of a checkpoint.
#[derive(Debug, FromRow)]
pub(in super::super) struct CheckpointRecord {
    generation_id: StreamId,
    first_event: i64,
    content: String,
    reasoning: String,
    marks: String,
    tool_calls: Option<String>,
}

impl CheckpointRecord {
    pub(in super::super) fn into_checkpoint(self) -> Result<Checkpoint, DatabaseError> {
        Ok(Checkpoint {
            stream_id: self.generation_id,
            first_event: count(self.first_event),
            content: self.content,
            reasoning: self.reasoning,
            marks: serde_json::from_str(&self.marks)
                .map_err(|error| DatabaseError::corrupt("list of marks", error))?,
            tool_calls: self.tool_calls,
        })
    }
}

/// The columns of an answer that a stopped process left.
#[derive(Debug, FromRow)]
pub(in super::super) struct UnfinishedRecord {
    id: StreamId,
    user_id: UserId,
    conversation_id: ConversationId,
    branch_id: BranchId,
    user_message_id: MessageId,
    message_id: MessageId,
    model: String,
    request_id: String,
    streamed: bool,
    sent_bytes: i64,
}

impl UnfinishedRecord {
    pub(in super::super) fn into_unfinished(self, ended_at: DateTime<Utc>) -> UnfinishedGeneration {
        UnfinishedGeneration {
            sent_bytes: count(self.sent_bytes),
            answer: FinishedAnswer {
                error: None,
                stream_id: self.id,
                user_id: self.user_id,
                request_id: self.request_id.into(),
                conversation_id: self.conversation_id,
                branch_id: self.branch_id,
                user_message_id: self.user_message_id,
                message_id: self.message_id,
                model: self.model.into(),
                streamed: self.streamed,
                outcome: AnswerOutcome::Stored(MessageStatus::Interrupted),
                content: String::new(),
                reasoning: None,
                tool_calls: None,
                finish_reason: None,
                usage: AnswerUsage::default(),
                attempts: Vec::new(),
                latency_ms: None,
                first_token_ms: None,
                ended_at,
            },
        }
    }
}

/// The columns of an answer, and whether its message is there.
#[derive(Debug, FromRow)]
pub(in super::super) struct StateRecord {
    id: StreamId,
    conversation_id: ConversationId,
    branch_id: BranchId,
    user_message_id: MessageId,
    message_id: MessageId,
    request_id: String,
    model: String,
    status: String,
    error: Option<String>,
    started_at: StoredTime,
    ended_at: Option<StoredTime>,
    has_message: bool,
}

impl StateRecord {
    pub(in super::super) fn into_record(self) -> Result<GenerationRecord, DatabaseError> {
        Ok(GenerationRecord {
            turn: TurnIds {
                conversation_id: self.conversation_id,
                branch_id: self.branch_id,
                user_message_id: self.user_message_id,
                message_id: self.message_id,
                stream_id: self.id,
            },
            has_message: self.has_message,
            request_id: self.request_id,
            model: self.model,
            started_at: self.started_at.into(),
            status: named(MessageStatus::from_name, &self.status)?,
            error: self.error.as_deref().and_then(ApiError::from_json),
            ended_at: self.ended_at.map(Into::into),
        })
    }
}
