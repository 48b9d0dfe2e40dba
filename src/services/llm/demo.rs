//! The built-in model of a development installation: it repeats what it is told.
//!
//! It lets a stranger see the whole service work without a key or a network. It is no language model, says so in
//! every answer, and is refused in production. Its answers have the form and the pace of a real model's.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{ChatCall, Chunk, Completion, Model, ModelError, ModelErrorKind, ModelEvent, ModelStream};
use crate::models::money::Money;
use crate::utils::clock::Clock;

/// The name of the only model.
pub const DEMO_MODEL: &str = "demo/echo";

/// About 35 tokens a second.
const TOKEN_INTERVAL: Duration = Duration::from_millis(28);

/// Before the first token.
const FIRST_TOKEN_DELAY: Duration = Duration::from_millis(120);

/// As much of a message as is repeated, in characters.
const MAX_ECHO: usize = 2_000;

/// A word longer than this is sent in pieces, as a model would.
const MAX_TOKEN: usize = 12;

/// The model `demo/echo`.
#[derive(Debug, Clone)]
pub struct DemoModel {
    clock: Clock,
}

/// What is answered to one call.
struct Answer {
    id: String,
    created: i64,
    tokens: Vec<String>,
    prompt_tokens: usize,
}

impl DemoModel {
    /// The model. The clock dates its answers and makes their ids.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self { clock }
    }

    fn answer(&self, call: &ChatCall) -> Result<Answer, ModelError> {
        if self.surely_lacks(&call.model) {
            return Err(ModelError::new(
                ModelErrorKind::ModelNotFound,
                "only demo/echo is built in",
            ));
        }
        let messages = call.body.get("messages").map_or("[]", |messages| messages.get());
        let messages: Vec<Value> = serde_json::from_str(messages).unwrap_or_default();
        let last = messages.iter().rfind(|message| message["role"] == "user");
        Ok(Answer {
            id: format!("chatcmpl-{}", self.clock.uuid()),
            created: self.clock.now().timestamp(),
            tokens: tokens(&echo(&last.map(text_of).unwrap_or_default())),
            prompt_tokens: messages
                .iter()
                .map(|message| tokens(&text_of(message)).len())
                .sum(),
        })
    }
}

#[async_trait]
impl Model for DemoModel {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn surely_lacks(&self, model: &str) -> bool {
        model != DEMO_MODEL
    }

    async fn stream(&self, call: &ChatCall) -> Result<ModelStream, ModelError> {
        let answer = self.answer(call)?;
        sleep(FIRST_TOKEN_DELAY).await;
        let events = stream::iter(answer.events().into_iter().enumerate()).then(|(at, event)| async move {
            if at > 0 && matches!(event, ModelEvent::Chunk(_)) {
                sleep(TOKEN_INTERVAL).await;
            }
            Ok(event)
        });
        Ok(ModelStream {
            model: Arc::from(DEMO_MODEL),
            header_cost: None,
            waited: FIRST_TOKEN_DELAY,
            events: events.boxed(),
        })
    }

    async fn complete(&self, call: &ChatCall) -> Result<Completion, ModelError> {
        let answer = self.answer(call)?;
        sleep(FIRST_TOKEN_DELAY).await;
        let body = answer.completion();
        let usage = Chunk::parse(&body).ok().and_then(|completion| completion.usage);
        Ok(Completion {
            model: Arc::from(DEMO_MODEL),
            usage,
            cost: Some(Money::ZERO),
            waited: FIRST_TOKEN_DELAY,
            body,
        })
    }

    async fn check(&self) -> Result<(), ModelError> {
        Ok(())
    }
}

impl Answer {
    /// The whole stream: the role, the tokens, the reason for the end, the usage, `[DONE]`.
    fn events(&self) -> Vec<ModelEvent> {
        let delta = |delta: Value, finish_reason: Value| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
            self.chunk(json!([choice]), None)
        };
        let mut events = Vec::with_capacity(self.tokens.len() + 4);
        events.push(delta(json!({"role": "assistant", "content": ""}), Value::Null));
        events.extend(
            self.tokens
                .iter()
                .map(|token| delta(json!({"content": token}), Value::Null)),
        );
        events.push(delta(json!({}), json!("stop")));
        events.push(self.chunk(json!([]), Some(self.usage())));
        events.push(ModelEvent::Done);
        events
    }

    fn chunk(&self, choices: Value, usage: Option<Value>) -> ModelEvent {
        let mut chunk = self.head("chat.completion.chunk");
        chunk["choices"] = choices;
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        ModelEvent::Chunk(Bytes::from(chunk.to_string()))
    }

    fn completion(&self) -> Bytes {
        let mut completion = self.head("chat.completion");
        completion["choices"] = json!([{
            "index": 0,
            "message": {"role": "assistant", "content": self.tokens.concat()},
            "finish_reason": "stop",
        }]);
        completion["usage"] = self.usage();
        Bytes::from(completion.to_string())
    }

    fn head(&self, object: &str) -> Value {
        json!({"id": self.id, "object": object, "created": self.created, "model": DEMO_MODEL})
    }

    fn usage(&self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.tokens.len(),
            "total_tokens": self.prompt_tokens + self.tokens.len(),
            "cost": 0,
        })
    }
}

/// The text of a message, be its content a string or parts.
fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<_> = parts
                .iter()
                .map(|part| match (part["text"].as_str(), part["type"].as_str()) {
                    (Some(text), _) => text.to_owned(),
                    (None, kind) => format!("[{}]", kind.unwrap_or("part")),
                })
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

fn echo(said: &str) -> String {
    let mut answer = format!(
        "I am `{DEMO_MODEL}`, the built-in model for development: I am no language model and only repeat what I am \
         told. Set LITELLM_URL to talk to a real one."
    );
    let said = said.trim();
    if said.is_empty() {
        answer.push_str(" You said nothing.");
        return answer;
    }
    let repeated: String = said.chars().take(MAX_ECHO).collect();
    let more = if repeated.len() < said.len() {
        " … (and more)"
    } else {
        ""
    };
    // Writing to a string cannot fail.
    let _ = write!(answer, " You said:\n\n{repeated}{more}");
    answer
}

/// Words with the space after them, long ones in pieces.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let characters: Vec<char> = word.chars().collect();
        tokens.extend(characters.chunks(MAX_TOKEN).map(String::from_iter));
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ids::UserId;
    use crate::services::llm::chunk::is_usage_only;

    fn call(model: &str, content: &Value) -> ChatCall {
        let body = json!({"messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": content},
            {"role": "assistant", "content": "x"},
        ]});
        ChatCall {
            request_id: "r".into(),
            user: UserId(uuid::Uuid::nil()),
            model: model.into(),
            body: serde_json::from_str(&body.to_string()).expect("an object"),
            traceparent: None,
        }
    }

    fn model() -> DemoModel {
        DemoModel::new(Clock::system())
    }

    #[tokio::test]
    async fn streams_as_a_model_does() {
        let said = json!("ü 🙂");
        let stream = model().stream(&call(DEMO_MODEL, &said)).await.expect("a stream");
        let events: Vec<_> = stream
            .events
            .map(|event| event.expect("no error"))
            .collect()
            .await;
        let [chunks @ .., ModelEvent::Done] = events.as_slice() else {
            panic!("no [DONE] at the end");
        };
        let chunks: Vec<_> = chunks
            .iter()
            .map(|event| match event {
                ModelEvent::Chunk(json) => Chunk::parse(json).expect("a chunk"),
                ModelEvent::Done => panic!("[DONE] in between"),
            })
            .collect();
        assert_eq!(chunks[0].choices[0].delta.role.as_deref(), Some("assistant"));
        let text: String = chunks
            .iter()
            .flat_map(|chunk| &chunk.choices)
            .filter_map(|choice| choice.delta.content.as_deref())
            .collect();
        assert!(
            text.starts_with("I am `demo/echo`") && text.ends_with("You said:\n\nü 🙂"),
            "{text}"
        );
        let [.., end, usage] = chunks.as_slice() else {
            panic!("too few chunks");
        };
        assert_eq!(end.choices[0].finish_reason.as_deref(), Some("stop"));
        assert!(is_usage_only(usage));
        assert_eq!(usage.usage.and_then(|usage| usage.cost), Some(Money::ZERO));
    }

    #[tokio::test]
    async fn completes_content_parts_and_bounds_what_it_repeats() {
        let parts = json!([{"type": "text", "text": "x".repeat(50_000)}, {"type": "image_url"}]);
        let completion = model()
            .complete(&call(DEMO_MODEL, &parts))
            .await
            .expect("an answer");
        let body: Value = serde_json::from_slice(&completion.body).expect("json");
        let text = body["choices"][0]["message"]["content"].as_str().expect("text");
        assert!(text.len() < MAX_ECHO + 300 && text.ends_with("(and more)"));
        let usage = completion.usage.expect("usage");
        assert!(usage.prompt_tokens > Some(4_000) && usage.completion_tokens < Some(300));
    }

    #[tokio::test]
    async fn knows_no_other_model() {
        assert!(model().surely_lacks("gpt-4o") && !model().surely_lacks(DEMO_MODEL));
        let error = model()
            .complete(&call("gpt-4o", &json!("hi")))
            .await
            .expect_err("no such model");
        assert_eq!(error.kind(), ModelErrorKind::ModelNotFound);
    }
}
