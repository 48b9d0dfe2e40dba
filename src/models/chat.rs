//! Chat as the API takes and answers it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::ids::{BranchId, ConversationId, MessageId, StreamId};
use super::message::{MessageContent, MessageStatus, MessageUsage, Role};

/// Conversation chat: the message is stored, the conversation is the context, the answer is stored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({"message": "Explain quantum computing in one paragraph.", "stream": true}))]
pub struct ConversationChatRequest {
    /// What the user says: text of at most `MAX_MESSAGE_LENGTH` (32,000) characters, or content parts. Required
    /// unless `tool_results` is given.
    pub message: Option<MessageContent>,
    /// Answers to all tool calls of the parent message, instead of `message`.
    pub tool_results: Option<Vec<ToolResultInput>>,
    /// Absent: a new conversation is made.
    pub conversation_id: Option<ConversationId>,
    /// Absent: the conversation's active branch.
    pub branch_id: Option<BranchId>,
    /// Absent: the branch's head. If it is not the head, a new branch is forked there and activated.
    pub parent_message_id: Option<MessageId>,
    /// At most 100 characters. Absent: the conversation's model, else `DEFAULT_MODEL`.
    #[schema(max_length = 100, example = "gpt-4o-mini")]
    pub model: Option<String>,
    /// Whether the answer is streamed as server-sent events.
    #[schema(default = true)]
    pub stream: Option<bool>,
    /// 0 to `MAX_TEMPERATURE` (2). Absent: not sent to the model.
    #[schema(minimum = 0)]
    pub temperature: Option<f64>,
    /// 1 to `MAX_OUTPUT_TOKENS` (32,768). Absent: `DEFAULT_MAX_TOKENS` (2,000).
    #[schema(minimum = 1)]
    pub max_tokens: Option<u64>,
    /// For this answer only; at most 8,000 characters. Absent: the conversation's.
    #[schema(max_length = 8000)]
    pub system_message: Option<String>,
    /// Passed on to the model as given.
    #[schema(value_type = Option<f64>)]
    pub top_p: Option<Box<RawValue>>,
    /// Passed on to the model as given.
    #[schema(value_type = Option<Vec<String>>)]
    pub stop: Option<Box<RawValue>>,
    /// Passed on to the model as given.
    #[schema(value_type = Option<f64>)]
    pub presence_penalty: Option<Box<RawValue>>,
    /// Passed on to the model as given.
    #[schema(value_type = Option<f64>)]
    pub frequency_penalty: Option<Box<RawValue>>,
    /// Passed on to the model as given.
    #[schema(value_type = Option<i64>)]
    pub seed: Option<Box<RawValue>>,
    /// Passed on to the model as given.
    #[schema(value_type = Option<Vec<Object>>)]
    pub tools: Option<Box<RawValue>>,
    /// Passed on to the model as given.
    #[schema(value_type = Option<Object>)]
    pub tool_choice: Option<Box<RawValue>>,
    /// Passed on to the model as given.
    #[schema(value_type = Option<Object>)]
    pub response_format: Option<Box<RawValue>>,
    /// Passed on to the model as given.
    #[schema(value_type = Option<String>)]
    pub reasoning_effort: Option<Box<RawValue>>,
}

/// The answer to one tool call.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct ToolResultInput {
    /// The call's id, as the model gave it.
    pub tool_call_id: String,
    /// What the tool returned, as text.
    pub content: String,
}

/// OpenAI-compatible chat: every field of OpenAI's chat-completions request; unknown ones are passed on too.
/// Nothing is stored as a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}))]
pub struct OpenAiChatRequest {
    /// At least one message; each has a `role`.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<OpenAiMessage>,
    /// Absent: `DEFAULT_MODEL`.
    pub model: Option<String>,
    /// Whether the answer is streamed as server-sent events.
    #[schema(default = false)]
    pub stream: Option<bool>,
    /// OpenAI's options of a stream, passed on as given.
    #[schema(value_type = Option<StreamOptions>)]
    pub stream_options: Option<Box<RawValue>>,
}

/// The one thing that every message must have.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OpenAiMessage {
    /// Who speaks.
    pub role: String,
}

/// OpenAI's options of a stream, of which one matters here.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
pub struct StreamOptions {
    /// Whether the stream's last chunk carries the usage.
    pub include_usage: Option<bool>,
}

/// Either body of `POST /v1/chat/completions`, told apart by `message` and `messages`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ChatRequest {
    /// With `message` or `tool_results`.
    Conversation(Box<ConversationChatRequest>),
    /// With `messages`.
    OpenAi(OpenAiChatRequest),
}

/// A whole answer: OpenAI's `chat.completion`; the ids are there in conversation chat.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatCompletion {
    /// The answer's id.
    #[schema(example = "chatcmpl-019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a11")]
    pub id: String,
    /// Always `chat.completion`.
    pub object: &'static str,
    /// When it was begun, in seconds since 1970.
    pub created: i64,
    /// The model that answered.
    pub model: String,
    /// One choice.
    pub choices: Vec<ChatChoice>,
    /// What it used and cost.
    pub usage: MessageUsage,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The branch.
    pub branch_id: BranchId,
    /// The user's message.
    pub user_message_id: MessageId,
    /// The stored answer.
    pub message_id: MessageId,
    /// The answer is complete but could not be stored yet; it will be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}

/// One choice of a whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatChoice {
    /// Always 0.
    pub index: u32,
    /// The answer.
    pub message: ChatMessage,
    /// Why the model stopped, or `cancelled`.
    pub finish_reason: Option<String>,
}

/// The message of a whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatMessage {
    /// Always `assistant`.
    pub role: Role,
    /// The text; null where the model only calls tools.
    pub content: Option<String>,
    /// What the model thought, where it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// The tools that the model wants called.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub tool_calls: Option<Box<RawValue>>,
}

/// What became of a stream that was to be cancelled.
#[derive(Debug, Serialize, ToSchema)]
pub struct CancelledStream {
    /// The stream.
    pub stream_id: StreamId,
    /// How the answer ended: `cancelled`, or what it was when the request came; `streaming` if it has not ended yet.
    pub status: MessageStatus,
    /// The stored answer, in conversation chat.
    pub message_id: Option<MessageId>,
}
