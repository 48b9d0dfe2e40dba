//! The built-in models of a development installation: one repeats what it is told, one makes embeddings of words.
//!
//! They let a stranger see the whole service work without a key or a network. Neither is a language model; the one that
//! answers says so every time, and both are refused in production. Its answers have the form and the pace of a real model's.

mod embedding;
mod text;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::sleep;

use self::text::{echo, text_of, tokens};
use super::{
    Chunk, Completion, Dropped, Listing, Model, ModelCall, ModelError, ModelErrorKind, ModelEvent,
    ModelFacts, ModelStream, SourceOutcome, SourceReport,
};
use crate::models::model::{ModelMode, ModelSource};
use crate::models::money::Money;
use crate::models::price::TokenPrices;
use crate::utils::clock::Clock;

/// The name of the model that answers.
pub const DEMO_MODEL: &str = "demo/echo";

/// The name of the model that makes embeddings.
pub const DEMO_EMBEDDING: &str = "demo/embedding";

/// About 35 tokens a second.
const TOKEN_INTERVAL: Duration = Duration::from_millis(28);

/// Before the first token.
const FIRST_TOKEN_DELAY: Duration = Duration::from_millis(120);

/// The models `demo/echo` and `demo/embedding`.
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
    /// The models. The clock dates its answers and makes their ids.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self { clock }
    }

    fn answer(&self, call: &ModelCall) -> Result<Answer, ModelError> {
        match &*call.model {
            DEMO_MODEL => {}
            DEMO_EMBEDDING => return Err(rejected("demo/embedding makes embeddings; ask demo/echo")),
            _ => return Err(unknown()),
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

fn unknown() -> ModelError {
    ModelError::new(
        ModelErrorKind::ModelNotFound,
        "only demo/echo and demo/embedding are built in",
    )
}

fn rejected(why: &str) -> ModelError {
    ModelError::new(ModelErrorKind::Rejected, why)
}

#[async_trait]
impl Model for DemoModel {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn fallbacks(&self, _model: &str) -> &[Arc<str>] {
        &[]
    }

    fn surely_lacks(&self, model: &str) -> bool {
        model != DEMO_MODEL && model != DEMO_EMBEDDING
    }

    fn may_embed(&self, model: &str) -> bool {
        model == DEMO_EMBEDDING
    }

    async fn stream(&self, call: &ModelCall) -> Result<ModelStream, ModelError> {
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
            header_cost: Some(Money::ZERO),
            waited: FIRST_TOKEN_DELAY,
            events: events.boxed(),
        })
    }

    async fn complete(&self, call: &ModelCall) -> Result<Completion, ModelError> {
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

    async fn embed(&self, call: &ModelCall) -> Result<Completion, ModelError> {
        match &*call.model {
            DEMO_EMBEDDING => {}
            DEMO_MODEL => return Err(rejected("demo/echo makes no embeddings; ask demo/embedding")),
            _ => return Err(unknown()),
        }
        let body = Bytes::from(embedding::answer(&call.body).map_err(rejected)?.to_string());
        let usage = Chunk::parse(&body).ok().and_then(|answer| answer.usage);
        Ok(Completion {
            model: Arc::from(DEMO_EMBEDDING),
            usage,
            cost: Some(Money::ZERO),
            waited: Duration::ZERO,
            body,
        })
    }

    async fn discover(&self) -> Vec<SourceReport> {
        let echo = ModelFacts {
            id: DEMO_MODEL.to_owned(),
            name: Some("Demo echo".to_owned()),
            description: Some("No language model: it repeats what it is told.".to_owned()),
            mode: Some(ModelMode::Chat),
            prices: TokenPrices::FREE,
            ..ModelFacts::default()
        };
        let embedding = ModelFacts {
            id: DEMO_EMBEDDING.to_owned(),
            name: Some("Demo embedding".to_owned()),
            description: Some("Texts that share words are near each other.".to_owned()),
            mode: Some(ModelMode::Embedding),
            prices: TokenPrices::FREE,
            ..ModelFacts::default()
        };
        vec![SourceReport {
            server: self.name(),
            list: ModelSource::BuiltIn,
            outcome: SourceOutcome::Listed(Listing {
                models: vec![echo, embedding],
                dropped: Dropped::default(),
            }),
        }]
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
        })
    }
}

#[cfg(test)]
mod tests;
