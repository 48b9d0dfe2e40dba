//! Messages as the API shows and takes them.

mod content;
mod merged_from;
mod requests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::branch::Branch;
use super::ids::{BranchId, ConversationId, MessageId};
use super::money::Money;

pub use content::{ContentPart, ImageUrl, MessageContent};
pub use merged_from::MergedFrom;
pub use requests::{
    CreateMessageRequest, EditMessageRequest, RegenerateRequest, SearchMessagesRequest, WritableRole,
};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Instructions.
    System,
    /// The result of a tool call.
    Tool,
}

impl Role {
    /// The name, as stored and as sent to a model.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::Tool => "tool",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Assistant, Self::System, Self::Tool]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// How complete a message is. All but answers are `completed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// All of it is there.
    Completed,
    /// It is being produced.
    Streaming,
    /// Its reader stopped it.
    Cancelled,
    /// It stopped arriving before it was complete.
    Interrupted,
    /// The model failed.
    Failed,
}

impl MessageStatus {
    /// The name, as stored and as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Streaming => "streaming",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Completed,
            Self::Streaming,
            Self::Cancelled,
            Self::Interrupted,
            Self::Failed,
        ]
        .into_iter()
        .find(|status| status.as_str() == name)
    }
}

/// What an answer used and cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageUsage {
    /// Tokens that the model read.
    pub prompt_tokens: u64,
    /// Tokens that the model wrote.
    pub completion_tokens: u64,
    /// Both together.
    pub total_tokens: u64,
    /// US dollars; null where nobody could tell.
    #[schema(value_type = Option<f64>, example = 0.0000135)]
    pub cost_usd: Option<Money>,
    /// Counted by this service, because the model did not say.
    #[serde(default)]
    pub estimated: bool,
}

/// One message in the tree of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The conversation it belongs to.
    pub conversation_id: ConversationId,
    /// The branch it was written on; other branches may share it.
    pub branch_id: BranchId,
    /// The message before it; null at a root.
    pub parent_id: Option<MessageId>,
    /// Who speaks.
    pub role: Role,
    /// The text, or the `OpenAI` content parts of a message that is more than text.
    #[schema(value_type = MessageContent)]
    pub content: Box<RawValue>,
    /// The model that wrote it, or that was asked.
    pub model: Option<String>,
    /// How complete it is.
    pub status: MessageStatus,
    /// Why the model stopped: as it said, or `cancelled`.
    pub finish_reason: Option<String>,
    /// What it used and cost; null for what no model wrote.
    pub usage: Option<MessageUsage>,
    /// Milliseconds from the start of the answer to its end.
    pub latency_ms: Option<u64>,
    /// Milliseconds from the start of the answer to its first token.
    pub time_to_first_token_ms: Option<u64>,
    /// The tools that the model wants called, as `OpenAI` writes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub tool_calls: Option<Box<RawValue>>,
    /// The call that a tool message answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What the model thought before it answered, where it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Data of the client's own.
    #[schema(value_type = Object)]
    pub metadata: Box<RawValue>,
    /// The messages that follow it directly.
    pub children: Vec<MessageId>,
    /// Whether more than one message follows it.
    pub has_branches: bool,
    /// Whether its text was changed after it was written.
    pub edited: bool,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A message that was found, and where.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageHit {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// The text around the best hit: HTML-escaped, the hits within `<mark>` and `</mark>`.
    #[schema(example = "how <mark>quantum</mark> computers work")]
    pub snippet: String,
}

/// A message with what was asked for around it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageDetail {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// The messages that follow it directly: with `include=children`, under `child_messages` since `children` are ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child_messages: Option<Vec<Message>>,
    /// The other messages that follow the same one: with `include=siblings`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub siblings: Option<Vec<Message>>,
    /// The path from the root to the message, both included: with `include=thread`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<Vec<Message>>,
}

/// A message that was edited.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EditedMessage {
    /// The message: the same one, or the new one beside it.
    #[serde(flatten)]
    pub message: Message,
    /// The branch that was made for it, with `create_branch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
}

/// A message that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeletedMessage {
    /// Its id.
    pub id: MessageId,
    /// Always true.
    #[schema(example = true)]
    pub deleted: bool,
    /// Messages that are gone: it and all that followed it.
    pub deleted_message_count: u64,
}
