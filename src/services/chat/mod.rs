//! Chat: from a request to a running answer.
//!
//! - `conversation`: the message is stored, the conversation is the context, the answer is stored
//! - `regenerate`: a stored message is answered anew
//! - `openai`: OpenAI's stateless request, passed through
//!
//! What a request may cost is read by `bounds`; what it may hold is decided in `validation`, whether it came before in `repeats`; the answer itself is the generation engine's business.

mod bounds;
mod conversation;
mod openai;
mod regenerate;
mod repeats;
mod validation;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::time::Instant;

use self::repeats::Repeats;
use crate::config::{BusinessSettings, LoadSettings, ModelSettings, OnDisconnect};
use crate::services::analytics::FeatureUses;
use crate::services::billing::Billing;
use crate::services::conversations::{ConversationStore, IdempotencyKey};
use crate::services::generation::{Engine, Reader};
use crate::services::lifecycle::Lifecycle;
use crate::services::outbox::Outbox;
use crate::services::users::UserService;
use crate::utils::clock::Clock;
use crate::utils::errors::ApiError;
use crate::utils::metrics::Metrics;

/// How long the head of a streamed response waits for the model's first chunk; then it opens without one.
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// What a request says beside its body.
#[derive(Debug, Clone)]
pub struct ChatContext {
    /// The id of the request.
    pub request_id: Arc<str>,
    /// The trace that it belongs to.
    pub traceparent: Option<HeaderValue>,
    /// When it arrived.
    pub received: Instant,
    /// `X-On-Disconnect`.
    pub on_disconnect: Option<OnDisconnect>,
    /// `Idempotency-Key`, with what it marks.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What a request is answered with.
#[derive(Debug)]
pub enum ChatAnswer {
    /// The stream, from its start.
    Stream(Reader),
    /// The whole answer: OpenAI's `chat.completion`.
    Whole {
        /// Its JSON: in OpenAI-compatible chat as the model wrote it.
        body: Bytes,
        /// How long the model was waited for.
        waited: Option<Duration>,
    },
}

/// The settings of chat.
#[derive(Debug, Clone)]
pub struct ChatSettings {
    default_model: Option<Arc<str>>,
    default_max_tokens: u32,
    max_output_tokens: u32,
    max_temperature: f64,
    max_message_length: usize,
    on_disconnect: OnDisconnect,
    disconnect_grace: Duration,
    stream_timeout: Duration,
}

impl ChatSettings {
    /// From the settings of the service. `demo_model` answers where nothing else is configured.
    #[must_use]
    pub fn new(
        models: &ModelSettings,
        load: &LoadSettings,
        business: &BusinessSettings,
        demo_model: Option<&str>,
    ) -> Self {
        Self {
            default_model: models.default_model.as_deref().or(demo_model).map(Arc::from),
            default_max_tokens: models.default_max_tokens,
            max_output_tokens: models.max_output_tokens,
            max_temperature: models.max_temperature,
            max_message_length: business.max_message_length,
            on_disconnect: load.on_disconnect,
            disconnect_grace: load.disconnect_grace,
            stream_timeout: load.stream_timeout,
        }
    }
}

/// What chat works with.
pub struct ChatParts {
    /// Counts what users do beside chatting.
    pub feature_uses: FeatureUses,
    /// What users prefer.
    pub users: Arc<UserService>,
    /// Produces the answers.
    pub engine: Engine,
    /// Where conversations are kept.
    pub store: Arc<dyn ConversationStore>,
    /// What answers may cost.
    pub billing: Arc<Billing>,
    /// Where charges go.
    pub outbox: Outbox,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The life of the process.
    pub lifecycle: Lifecycle,
    /// Time and ids.
    pub clock: Clock,
    /// Its settings.
    pub settings: ChatSettings,
}

/// Chat, of both kinds.
pub struct ChatService {
    feature_uses: FeatureUses,
    users: Arc<UserService>,
    engine: Engine,
    store: Arc<dyn ConversationStore>,
    billing: Arc<Billing>,
    outbox: Outbox,
    metrics: Arc<Metrics>,
    lifecycle: Lifecycle,
    clock: Clock,
    settings: ChatSettings,
    repeats: Repeats,
}

impl ChatService {
    /// A chat service.
    #[must_use]
    pub fn new(parts: ChatParts) -> Self {
        let ChatParts {
            feature_uses,
            users,
            engine,
            store,
            billing,
            outbox,
            metrics,
            lifecycle,
            clock,
            settings,
        } = parts;
        Self {
            feature_uses,
            users,
            engine,
            store,
            billing,
            outbox,
            metrics,
            lifecycle,
            clock,
            settings,
            repeats: Repeats::default(),
        }
    }

    /// The model that is asked: the first of these that is given. `preferred` is the conversation's or the user's.
    fn model(&self, requested: Option<&str>, preferred: Option<String>) -> Result<Arc<str>, ApiError> {
        let model = requested
            .map(Arc::from)
            .or_else(|| preferred.map(Arc::from))
            .or_else(|| self.settings.default_model.clone())
            .ok_or_else(|| ApiError::invalid_field("model", "is required, since no DEFAULT_MODEL is set"))?;
        if self.engine.model().surely_lacks(&model) {
            return Err(validation::no_such_model(&model));
        }
        Ok(model)
    }
}
