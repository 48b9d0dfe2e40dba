//! The events that the service itself puts into a stream, around those of the model.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::turn::{Kind, TurnIds};
use crate::models::ids::{MessageId, StreamId};
use crate::models::message::{Message, MessageContent};
use crate::services::billing::AnswerUsage;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::json::RawObject;

/// The payload of the last event of every stream.
pub(super) const DONE: &[u8] = b"[DONE]";

/// How long a client should wait before it asks again for what was interrupted.
pub(super) const RETRY_AFTER_MS: u64 = 1_000;

/// A `chat.completion.chunk` of the service's own.
#[derive(Debug, Serialize)]
struct OwnChunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Box<RawValue>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    ids: Option<TurnIds>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pending: bool,
}

/// How the service's own chunks name the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a str,
    pub(super) created: DateTime<Utc>,
}

/// The id of an answer that the model has not named.
pub(super) fn own_completion_id(stream: StreamId) -> String {
    format!("chatcmpl-{stream}")
}

impl Naming<'_> {
    fn chunk(&self, choices: Value) -> OwnChunk<'_> {
        OwnChunk {
            id: self.id,
            object: "chat.completion.chunk",
            created: self.created.timestamp(),
            model: self.model,
            choices,
            usage: None,
            ids: None,
            pending: false,
        }
    }
}

/// The first event of conversation chat.
pub(super) fn opening(naming: Naming<'_>, ids: TurnIds) -> Vec<u8> {
    let choices = json!([{"index": 0, "delta": {"role": "assistant"}, "finish_reason": null}]);
    bytes(&OwnChunk {
        ids: Some(ids),
        ..naming.chunk(choices)
    })
}

/// Tells readers that an answer was stopped on request.
pub(super) fn cancelled(naming: Naming<'_>) -> Vec<u8> {
    bytes(&naming.chunk(json!([{"index": 0, "delta": {}, "finish_reason": "cancelled"}])))
}

/// Known text of an answer whose own events are gone.
pub(super) fn recovered(naming: Naming<'_>, content: &str, reasoning: &str) -> Vec<u8> {
    let mut delta = json!({});
    if !content.is_empty() {
        delta["content"] = content.into();
    }
    if !reasoning.is_empty() {
        delta["reasoning_content"] = reasoning.into();
    }
    bytes(&naming.chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}])))
}

/// The chunk with the usage, after all of the model's. In OpenAI-compatible chat the usage is what the model
/// `reported`, to the letter, where it did.
pub(super) fn closing(
    naming: Naming<'_>,
    kind: &Kind,
    usage: &AnswerUsage,
    reported: Option<&RawValue>,
    pending: bool,
) -> Vec<u8> {
    let mut tokens = json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens(),
    });
    let ids = match kind {
        Kind::Conversation(ids) => {
            tokens["cost_usd"] = cost(usage);
            if usage.estimated {
                tokens["estimated"] = true.into();
            }
            Some(*ids)
        }
        Kind::Stateless { .. } => None,
    };
    let own = to_raw_value(&tokens).ok();
    let usage = match kind {
        Kind::Stateless { .. } => reported.map(ToOwned::to_owned).or(own),
        Kind::Conversation(_) => own,
    };
    bytes(&OwnChunk {
        usage,
        ids,
        pending,
        ..naming.chunk(json!([]))
    })
}

/// A stored answer, as the events of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) naming: Naming<'a>,
    pub(super) turn: TurnIds,
    pub(super) message: &'a Message,
}

impl Stored<'_> {
    /// What comes after so many bytes of its text and of its reasoning, but for the last event.
    pub(super) fn after(&self, content: usize, reasoning: usize) -> [Vec<u8>; 2] {
        let message = self.message;
        // What the store holds was such content when it was written.
        let text = serde_json::from_str(message.content.get())
            .map_or_else(|_| String::new(), |content: MessageContent| content.text());
        let mut delta = json!({});
        if let Some(rest) = text.get(content..).filter(|rest| !rest.is_empty()) {
            delta["content"] = rest.into();
        }
        let thought = message.reasoning.as_deref().unwrap_or_default();
        if let Some(rest) = thought.get(reasoning..).filter(|rest| !rest.is_empty()) {
            delta["reasoning_content"] = rest.into();
        }
        if let Some(calls) = message.tool_calls.as_deref() {
            delta["tool_calls"] = numbered(calls);
        }
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": message.finish_reason}]);
        let used = message.usage.as_ref();
        let usage = AnswerUsage {
            prompt_tokens: used.map_or(0, |usage| usage.prompt_tokens),
            completion_tokens: used.map_or(0, |usage| usage.completion_tokens),
            estimated: used.is_some_and(|usage| usage.estimated),
            cost: used.and_then(|usage| usage.cost_usd),
            ..AnswerUsage::default()
        };
        let kind = Kind::Conversation(self.turn);
        [
            bytes(&self.naming.chunk(choices)),
            closing(self.naming, &kind, &usage, None, false),
        ]
    }
}

/// Stored tool calls, each with the place that clients of a stream put it in.
fn numbered(calls: &RawValue) -> Value {
    let mut calls: Vec<Map<String, Value>> = serde_json::from_str(calls.get()).unwrap_or_default();
    for (index, call) in calls.iter_mut().enumerate() {
        call.insert("index".to_owned(), index.into());
    }
    calls.into()
}

/// The cost as an exact JSON number, or null.
pub(super) fn cost(usage: &AnswerUsage) -> Value {
    usage
        .cost
        .and_then(|cost| cost.to_string().parse().ok())
        .map_or(Value::Null, Value::Number)
}

/// A whole completion in the form of one chunk.
///
/// # Errors
/// If it is no completion.
pub(super) fn chunk_of_completion(completion: &[u8]) -> Result<Bytes, serde_json::Error> {
    #[derive(Deserialize)]
    struct Whole {
        choices: Vec<RawObject>,
    }
    let Whole { mut choices } = serde_json::from_slice(completion)?;
    for choice in &mut choices {
        let message = choice
            .remove("message")
            .unwrap_or_else(|| RawValue::NULL.to_owned());
        choice.set("delta", message);
    }
    let mut chunk: RawObject = serde_json::from_slice(completion)?;
    chunk.set_value("object", "chat.completion.chunk")?;
    chunk.set_value("choices", &choices)?;
    serde_json::to_vec(&chunk).map(Bytes::from)
}

/// Why there is no more of an answer whose producer is gone.
pub(super) fn interrupted(message: Option<MessageId>) -> ApiError {
    let error = |message| {
        ApiError::new(ErrorCode::StreamInterrupted, message).with_detail("retry_after_ms", RETRY_AFTER_MS)
    };
    match message {
        Some(id) => error("The answer was interrupted. What was produced is stored.")
            .with_detail("message_id", id.to_string()),
        None => error("The answer was interrupted."),
    }
}

/// An error in a stream.
pub(super) fn error(error: &ApiError, request_id: &str) -> Vec<u8> {
    bytes(&json!({"error": error.object(request_id)}))
}

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    // Texts, numbers and ids always serialise; an empty event would tell otherwise.
    serde_json::to_vec(value).unwrap_or_default()
}
