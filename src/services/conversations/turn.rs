//! One turn of a conversation: what is asked, and how the answer ends.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ContextMessage;
use crate::models::ids::{BranchId, ConversationId, MessageId, StreamId, UserId};
use crate::models::message::{MessageContent, MessageStatus};
use crate::services::billing::{AnswerUsage, Hold, HoldTerms, UsageEvent};
use crate::services::llm::FailedAttempt;

/// What a turn brings into the conversation.
#[derive(Debug, Clone)]
pub enum TurnInput {
    /// The user says something.
    Message(MessageContent),
    /// The client answers the tool calls of the parent message.
    ToolResults(Vec<ToolResult>),
    /// Nothing: a message that is there is answered, or answered anew.
    Again,
}

/// The answer to one tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The call's id, as the model gave it.
    pub tool_call_id: String,
    /// What the tool returned.
    pub content: String,
}

/// Where a turn goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnTarget {
    /// Into a conversation that is made for it.
    NewConversation,
    /// Into this one.
    Existing {
        /// The conversation.
        conversation_id: ConversationId,
        /// The branch; its active one if absent.
        branch_id: Option<BranchId>,
        /// The message to follow; the branch's head if absent. A branch is forked where it is not the head.
        parent_message_id: Option<MessageId>,
    },
    /// To a message that is there, with [`TurnInput::Again`]. Of an answer: another answer beside it, on a new branch. Of
    /// what was asked: its answer, in place if it has none, else on a new branch.
    Regenerate {
        /// The conversation.
        conversation_id: ConversationId,
        /// The message.
        message_id: MessageId,
        /// The name of the new branch.
        branch_name: Option<String>,
    },
}

impl TurnTarget {
    /// The conversation, if it is there already.
    #[must_use]
    pub const fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::NewConversation => None,
            Self::Existing { conversation_id, .. } | Self::Regenerate { conversation_id, .. } => {
                Some(*conversation_id)
            }
        }
    }
}

/// How long a request is known by its idempotency key.
pub const KEYS_KEPT: TimeDelta = TimeDelta::hours(24);

/// By what a client marks a request that it may send more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The client's key; its own for each user.
    pub key: Arc<str>,
    /// SHA-256 of the request's body.
    pub request_hash: [u8; 32],
}

/// A turn that is to be appended.
#[derive(Debug, Clone)]
pub struct NewTurn {
    /// Where it goes.
    pub target: TurnTarget,
    /// What it brings.
    pub input: TurnInput,
    /// The stream that will produce the answer.
    pub stream_id: StreamId,
    /// The model that will be asked.
    pub model: Arc<str>,
    /// The model that a conversation made for this turn is to keep: the one that the request names.
    pub conversation_model: Option<String>,
    /// The request that brought it.
    pub request_id: Arc<str>,
    /// Whether the client reads the answer as a stream.
    pub streamed: bool,
    /// The client's mark on the request.
    pub idempotency_key: Option<IdempotencyKey>,
    /// What the answer may cost, to be held back together with what is appended.
    pub terms: Option<HoldTerms>,
}

/// What a conversation says about its answers.
#[derive(Debug, Clone)]
pub struct ChatDefaults {
    /// The model of the conversation.
    pub model: Option<String>,
}

/// A turn that was appended: everything a model needs to answer it.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Whether it was made for this turn.
    pub new_conversation: bool,
    /// The branch.
    pub branch_id: BranchId,
    /// Whether it was forked for this turn.
    pub forked: bool,
    /// The stored message of the user (the last tool result, if there were several).
    pub user_message_id: MessageId,
    /// The place of the answer.
    pub message_id: MessageId,
    /// When the answer was begun: the time of its place, and of its record.
    pub begun_at: DateTime<Utc>,
    /// What the conversation tells the model first.
    pub system_message: Option<String>,
    /// The path up to and including this turn, oldest first, at most the newest
    /// [`context_messages`](super::StoreLimits::context_messages).
    pub context: Vec<ContextMessage>,
    /// What is held back for the answer.
    pub hold: Hold,
}

/// What becomes of the answer's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerOutcome {
    /// The message ends with this status.
    Stored(MessageStatus),
    /// Nobody ever saw anything of it: the place is removed, the user's message stays.
    Withdrawn,
}

/// An answer that has ended, whole: what [`save_answer`](super::ConversationStore::save_answer) writes and what
/// the outbox keeps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FinishedAnswer {
    /// The stream that produced it.
    pub stream_id: StreamId,
    /// Whose it is.
    pub user_id: UserId,
    /// The request that asked for it.
    pub request_id: Arc<str>,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The branch.
    pub branch_id: BranchId,
    /// What it answers.
    pub user_message_id: MessageId,
    /// Its place.
    pub message_id: MessageId,
    /// The model that answered.
    pub model: Arc<str>,
    /// Whether the client read it as a stream.
    pub streamed: bool,
    /// What becomes of its place.
    pub outcome: AnswerOutcome,
    /// What its stream ended with, where it is not whole: the error object as clients get it.
    #[serde(default)]
    pub error: Option<Box<RawValue>>,
    /// The text.
    pub content: String,
    /// What the model thought.
    pub reasoning: Option<String>,
    /// The tools that the model wants called.
    pub tool_calls: Option<Box<RawValue>>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// What it used.
    pub usage: AnswerUsage,
    /// The times before that the model was asked, and failed.
    #[serde(default)]
    pub attempts: Vec<FailedAttempt>,
    /// Milliseconds from the start to the end; unknown where the process stopped in between.
    pub latency_ms: Option<u64>,
    /// Milliseconds from the start to the first token.
    pub first_token_ms: Option<u64>,
    /// When it ended, which may be long before it is stored.
    pub ended_at: DateTime<Utc>,
}

impl FinishedAnswer {
    /// Its entry in the ledger.
    #[must_use]
    pub fn usage_event(&self) -> UsageEvent {
        let (status, message_id) = match self.outcome {
            AnswerOutcome::Stored(status) => (status, Some(self.message_id)),
            AnswerOutcome::Withdrawn => (MessageStatus::Failed, None),
        };
        UsageEvent {
            id: self.stream_id,
            user_id: self.user_id,
            request_id: self.request_id.clone(),
            conversation_id: Some(self.conversation_id),
            message_id,
            model: self.model.clone(),
            status,
            streamed: self.streamed,
            usage: self.usage,
            attempts: self.attempts.clone(),
            latency_ms: self.latency_ms,
            first_token_ms: self.first_token_ms,
            provisional: false,
            created_at: self.ended_at,
        }
    }
}
