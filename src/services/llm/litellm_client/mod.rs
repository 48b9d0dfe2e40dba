//! LiteLLM, or any other OpenAI-compatible servers, over HTTP.
//!
//! - `servers`: which of them has a model, and by which key it is asked; `dialect`: how each wants its requests
//! - `request`: addresses, headers and the body of a call
//! - `attempts`: which model is asked next and when, after a failure before the first chunk
//! - `breakers`: a circuit breaker for each model
//! - `events`: from the bytes of a stream to [`ModelEvent`]s
//! - `answer`: bodies that are read whole: completions, embeddings and errors
//! - `health`: whether the server could answer
//! - `discovery`: which models it has
//!
//! It passes the model's bytes on and judges no answer: whether one is complete, what it costs and what becomes
//! of it is the engine's business, and so is the time limit of a whole stream.
//!
//! Invariants: nothing is repeated once a chunk has been shown; dropping a future or a stream of this client
//! drops its connection and with it the request; no redirect is followed and no proxy used, so that a key
//! goes to its own server only.

mod answer;
mod attempts;
mod breakers;
mod dialect;
mod discovery;
mod events;
mod health;
mod request;
mod servers;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, timeout};

use self::answer::WholeAnswer;
use self::attempts::AttemptPlan;
use self::breakers::Breakers;
use self::events::EventReader;
use self::request::Ask;
use self::servers::Servers;
use super::{
    Completion, Model, ModelCall, ModelError, ModelErrorKind, ModelEvent, ModelStream, SourceReport,
    TimeoutStage,
};
use crate::config::{LoadSettings, ModelSettings};
use crate::models::money::Money;
use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;

/// The label `upstream` of this client's metrics.
const UPSTREAM: &str = "llm";

/// Why a client cannot be made from the settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither `LITELLM_URL` nor the key of a provider is set.
    #[error("neither LITELLM_URL nor the key of a provider is set")]
    NoServer,
    /// This setting is no `http` or `https` URL.
    #[error("{0} is not an http or https URL")]
    BadUrl(&'static str),
    /// This setting holds what a header cannot.
    #[error("{0} holds characters that no header can carry")]
    BadKey(&'static str),
    /// TLS could not be set up.
    #[error("the HTTP client cannot be set up")]
    Http(#[from] reqwest::Error),
}

/// The model servers behind HTTP. It owns the connections to all of them.
pub struct LiteLlmClient {
    http: reqwest::Client,
    servers: Servers,
    first_token_timeout: Duration,
    /// Between chunks; not streamed: for the whole answer.
    idle_timeout: Duration,
    max_retries: u32,
    fallbacks: HashMap<Arc<str>, Vec<Arc<str>>>,
    breakers: Breakers,
    metrics: Arc<Metrics>,
    clock: Clock,
}

/// A stream whose first event has arrived.
struct OpenedStream {
    header_cost: Option<Money>,
    first: ModelEvent,
    rest: EventReader,
}

impl LiteLlmClient {
    /// A client for the servers in the settings. It connects when it is first used.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(
        models: &ModelSettings,
        load: &LoadSettings,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .connect_timeout(models.connect_timeout)
            .pool_max_idle_per_host(load.connection_pool_size)
            .tcp_nodelay(true)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .build()?;
        let fallbacks = models.fallbacks.iter().map(|entry| {
            let names = entry.fallbacks.iter().map(|name| Arc::from(name.as_str()));
            (Arc::from(entry.model.as_str()), names.collect())
        });
        Ok(Self {
            http,
            servers: Servers::new(models)?,
            first_token_timeout: models.first_token_timeout,
            idle_timeout: models.idle_timeout,
            max_retries: models.max_retries,
            fallbacks: fallbacks.collect(),
            breakers: Breakers::new(Arc::clone(&metrics)),
            metrics,
            clock,
        })
    }

    /// Makes attempts until one succeeds or the plan ends. Gives the model that answered, and its answer.
    async fn with_retries<T, F, Fut>(
        &self,
        call: &ModelCall,
        ask: Ask,
        run: F,
    ) -> Result<(Arc<str>, T), ModelError>
    where
        F: Fn(Arc<str>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, ModelError>> + Send,
        T: Send,
    {
        let mut plan = AttemptPlan::new(
            &call.model,
            self.fallbacks(&call.model),
            self.max_retries,
            Instant::now(),
        );
        loop {
            let model = plan.model();
            let started = Instant::now();
            let error = match self.attempt(&model, ask, run(Arc::clone(&model))).await {
                Ok(answer) => return Ok((model, answer)),
                Err(error) => error,
            };
            let Some(pause) = plan.after(&error, Instant::now(), rand::random_range(0.5..1.0)) else {
                return Err(error);
            };
            call.attempts.note(&model, &error, started.elapsed());
            tracing::info!(
                %error,
                model = &*model,
                next_model = &*plan.model(),
                pause_ms = pause.as_millis(),
                "model call is repeated"
            );
            self.metrics
                .upstream_retries
                .with_label_values(&[UPSTREAM, ask.operation()])
                .inc();
            sleep(pause).await;
        }
    }

    /// Makes one attempt, unless the model's breaker is open.
    async fn attempt<T>(
        &self,
        model: &Arc<str>,
        ask: Ask,
        run: impl Future<Output = Result<T, ModelError>> + Send,
    ) -> Result<T, ModelError> {
        let permit = self.breakers.acquire(model, Instant::now())?;
        let started = Instant::now();
        let result = run.await;
        let error = result.as_ref().err();
        let label = error.map_or("ok", |error| error.kind().as_str());
        self.metrics
            .upstream_call(UPSTREAM, ask.operation(), label, started.elapsed());
        self.breakers.settle(permit, error, Instant::now());
        result
    }

    async fn open_stream(&self, call: &ModelCall, model: Arc<str>) -> Result<OpenedStream, ModelError> {
        let opening = async {
            let response = self.send(call, &model, Ask::Stream).await?;
            let header_cost = answer::header_cost(response.headers());
            let mut rest = EventReader::new(response, Arc::clone(&model), self.idle_timeout);
            let first = rest.first().await?;
            Ok(OpenedStream {
                header_cost,
                first,
                rest,
            })
        };
        timeout(self.first_token_timeout, opening)
            .await
            .unwrap_or_else(|_| Err(ModelError::timeout(TimeoutStage::FirstToken)))
    }

    /// Asks for what is not streamed.
    async fn fetch(&self, call: &ModelCall, ask: Ask) -> Result<Completion, ModelError> {
        let started = Instant::now();
        let (model, answer) = self
            .with_retries(call, ask, |model| self.fetch_answer(call, model, ask))
            .await?;
        Ok(Completion {
            model,
            body: answer.body,
            usage: answer.usage,
            cost: answer.cost,
            waited: started.elapsed(),
        })
    }

    async fn fetch_answer(
        &self,
        call: &ModelCall,
        model: Arc<str>,
        ask: Ask,
    ) -> Result<WholeAnswer, ModelError> {
        let max_bytes = match ask {
            Ask::Stream | Ask::Whole => answer::MAX_COMPLETION_BYTES,
            Ask::Embeddings => answer::MAX_EMBEDDINGS_BYTES,
        };
        let fetching = async {
            let response = self.send(call, &model, ask).await?;
            answer::read_whole(response, &model, max_bytes).await
        };
        timeout(self.idle_timeout, fetching)
            .await
            .unwrap_or_else(|_| Err(ModelError::timeout(TimeoutStage::Total)))
    }

    /// Sends the call and waits for the head of a successful answer.
    async fn send(&self, call: &ModelCall, model: &str, ask: Ask) -> Result<reqwest::Response, ModelError> {
        let (server, name) = self
            .servers
            .of(model)
            .ok_or_else(|| ModelError::new(ModelErrorKind::ModelNotFound, "no server has such a model"))?;
        let body = request::body(call, name, ask, server.dialect)
            .map_err(|_| ModelError::new(ModelErrorKind::Failed, "the request cannot be written as JSON"))?;
        let url = match ask {
            Ask::Stream | Ask::Whole => &server.endpoints.chat,
            Ask::Embeddings => &server.endpoints.embeddings,
        };
        let response = self
            .http
            .post(url.clone())
            .headers(request::headers(call, server, ask))
            .body(body)
            .send()
            .await
            .map_err(|error| answer::transport_error(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let stage = match ask {
            Ask::Stream => TimeoutStage::FirstToken,
            Ask::Whole | Ask::Embeddings => TimeoutStage::Total,
        };
        Err(answer::read_error(response, model, stage, self.clock.now()).await)
    }
}

#[async_trait]
impl Model for LiteLlmClient {
    fn name(&self) -> &'static str {
        if self.servers.has_proxy() {
            "litellm"
        } else {
            "providers"
        }
    }

    fn fallbacks(&self, model: &str) -> &[Arc<str>] {
        self.fallbacks.get(model).map_or(&[][..], Vec::as_slice)
    }

    fn surely_lacks(&self, model: &str) -> bool {
        self.servers.of(model).is_none()
    }

    fn may_embed(&self, model: &str) -> bool {
        self.servers
            .of(model)
            .is_some_and(|(server, _)| server.dialect.has_embeddings)
    }

    async fn stream(&self, call: &ModelCall) -> Result<ModelStream, ModelError> {
        let started = Instant::now();
        let (model, opened) = self
            .with_retries(call, Ask::Stream, |model| self.open_stream(call, model))
            .await?;
        Ok(ModelStream {
            model,
            header_cost: opened.header_cost,
            waited: started.elapsed(),
            events: opened.rest.into_events(opened.first),
        })
    }

    async fn complete(&self, call: &ModelCall) -> Result<Completion, ModelError> {
        self.fetch(call, Ask::Whole).await
    }

    async fn embed(&self, call: &ModelCall) -> Result<Completion, ModelError> {
        self.fetch(call, Ask::Embeddings).await
    }

    async fn discover(&self) -> Vec<SourceReport> {
        self.ask_for_lists().await
    }

    async fn check(&self) -> Result<(), ModelError> {
        let started = Instant::now();
        let result = self.probe().await;
        let label = result.as_ref().err().map_or("ok", |error| error.kind().as_str());
        self.metrics
            .upstream_call(UPSTREAM, "health", label, started.elapsed());
        // A breaker that nobody asks any more ends its time without anyone seeing it.
        self.breakers.publish(Instant::now());
        result
    }
}

#[cfg(test)]
mod tests;
