//! Calling language models: one interface, and what stands behind it.
//!
//! - [`litellm_client`]: LiteLLM or any other OpenAI-compatible server, over HTTP
//! - [`demo`]: the built-in model of a development installation
//!
//! A model is asked for an answer ([`ModelCall`]) and gives either a stream of chunks, still in the bytes the
//! model sent, or one whole completion; or for embeddings, which are always whole. Retries and fallbacks happen inside, and only before the first chunk.
//! What a chunk means is read by [`chunk`]; what becomes of an answer is the generation engine's business. What a
//! server says of its models is reported as [`ModelFacts`]; what models there are is the catalog's business.

pub mod chunk;
pub mod demo;
mod discovery;
mod error;
pub mod litellm_client;
pub mod token_limit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::HeaderValue;
use serde::{Deserialize, Serialize};

pub use chunk::{Chunk, Usage, is_usage_only};
pub use demo::DemoModel;
pub use discovery::{Dropped, Listing, ModelFacts, SourceOutcome, SourceReport};
pub use error::{ModelError, ModelErrorKind, TimeoutStage};
pub use litellm_client::LiteLlmClient;

use crate::models::ids::UserId;
use crate::models::money::Money;
use crate::utils::json::RawObject;

/// One answer that is wanted from a model, or the embeddings of some inputs.
#[derive(Debug, Clone)]
pub struct ModelCall {
    /// The id of the request that asks, for the upstream's logs.
    pub request_id: Arc<str>,
    /// On whose behalf.
    pub user: UserId,
    /// The model that is asked for.
    pub model: Arc<str>,
    /// OpenAI's chat-completions or embeddings request. The client sets `model` and `user` in it, for chats also
    /// `stream` and `stream_options`, and passes everything else on as it stands.
    pub body: RawObject,
    /// The trace that the call belongs to.
    pub traceparent: Option<HeaderValue>,
    /// What is tried in vain.
    pub attempts: AttemptLog,
}

/// A time that a model was asked and did not answer, before it or another was asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// The model.
    pub model: Arc<str>,
    /// What it failed with: the name of a [`ModelErrorKind`].
    pub error: Arc<str>,
    /// How long that took, in milliseconds.
    pub latency_ms: u64,
}

/// Where a call writes down what it tried in vain; it outlives the call, however that ends. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct AttemptLog(Arc<Mutex<Vec<FailedAttempt>>>);

impl AttemptLog {
    /// Notes an attempt after which another is made.
    pub fn note(&self, model: &Arc<str>, error: &ModelError, took: Duration) {
        self.lock().push(FailedAttempt {
            model: Arc::clone(model),
            error: Arc::from(error.kind().as_str()),
            latency_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// What was noted, the oldest first; nothing is left.
    #[must_use]
    pub fn take(&self) -> Vec<FailedAttempt> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<FailedAttempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A model's answer while it is being produced. The first chunk has arrived.
pub struct ModelStream {
    /// The model that answers: the one asked for, or a fallback.
    pub model: Arc<str>,
    /// What the upstream's headers say the answer costs.
    pub header_cost: Option<Money>,
    /// Time spent waiting for upstreams until the first chunk, over all attempts.
    pub waited: Duration,
    /// What arrives. After an error nothing more does.
    pub events: BoxStream<'static, Result<ModelEvent, ModelError>>,
}

/// What a model's stream brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelEvent {
    /// The JSON of one `chat.completion.chunk`, in the bytes that the model sent, cleaned by
    /// [`chunk::clean`] where they could not be stored. The first one was
    /// parsed; of the others it is only known that they are no error, and whoever takes them in finds out whether they
    /// are JSON.
    Chunk(Bytes),
    /// `[DONE]`.
    Done,
}

/// A model's whole answer.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The model that answered: the one asked for, or a fallback.
    pub model: Arc<str>,
    /// The `chat.completion` object, or the list of embeddings, in the bytes that the model sent, cleaned by [`chunk::clean`] where they
    /// could not be stored.
    pub body: Bytes,
    /// What the model says it used.
    pub usage: Option<Usage>,
    /// What the upstream says the answer costs: its usage first, then its headers. A zero from LiteLLM means
    /// unknown and is `None`.
    pub cost: Option<Money>,
    /// Time spent waiting for upstreams, over all attempts.
    pub waited: Duration,
}

/// A server of language models.
#[async_trait]
pub trait Model: Send + Sync + 'static {
    /// What it is, for reports: `litellm`, `providers` or `demo`.
    fn name(&self) -> &'static str;

    /// The models that may answer in place of this one.
    fn fallbacks(&self, model: &str) -> &[Arc<str>];

    /// Whether it is known without asking that there is no such model.
    fn surely_lacks(&self, model: &str) -> bool;

    /// Whether the model may make embeddings: false where it is known without asking that it makes none.
    fn may_embed(&self, model: &str) -> bool;

    /// Asks for an answer and returns once its first chunk is there.
    ///
    /// # Errors
    /// What the last attempt failed with, none of it having shown a chunk.
    async fn stream(&self, call: &ModelCall) -> Result<ModelStream, ModelError>;

    /// Asks for a whole answer.
    ///
    /// # Errors
    /// What the last attempt failed with.
    async fn complete(&self, call: &ModelCall) -> Result<Completion, ModelError>;

    /// Asks for embeddings.
    ///
    /// # Errors
    /// What the last attempt failed with.
    async fn embed(&self, call: &ModelCall) -> Result<Completion, ModelError>;

    /// Asks which models there are, and what is known of them: a report for each list that the server may have. None of
    /// them is asked for longer than some seconds, and no model is asked.
    async fn discover(&self) -> Vec<SourceReport>;

    /// Asks whether the server could answer, without asking a model.
    ///
    /// # Errors
    /// Why it could not.
    async fn check(&self) -> Result<(), ModelError>;
}
