//! Every metric family of the service, in a registry of its own.
//!
//! A family is registered at start, with its help text, so that it is present from the first scrape. Labels
//! are closed enums, route templates, or texts that pass through a [`LabelLimit`]; families in which some of these meet are
//! [`Limited`] as a whole: none has more than 2,000 series.
//!
//! - `families`: how a family is made; `labels`: what may stand in a label; `limited`: how many series there may be

mod families;
mod labels;
mod limited;

use std::time::Duration;

use prometheus::{
    CounterVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};

use self::families::{
    amounts_by_model, by_answer, by_model, by_request, counter, counters, gauge, gauges, histogram,
    histograms, times_by_model, times_by_request,
};
use self::labels::{ModelLabels, OTHER};
use super::errors::ErrorCode;

pub use self::labels::{LabelLimit, Rejection};
pub use self::limited::Limited;

/// The families. Handles are resolved where they are used often; vectors are looked up by label otherwise.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "the help text of each family, below, is its documentation"
)]
pub struct Metrics {
    registry: Registry,
    models: ModelLabels,
    users: LabelLimit,
    pub http_requests: Limited<IntCounterVec>,
    pub http_request_duration: Limited<HistogramVec>,
    pub http_requests_in_flight: IntGauge,
    pub http_rejections: IntCounterVec,
    pub chat_completions: Limited<IntCounterVec>,
    pub chat_tokens: Limited<IntCounterVec>,
    pub chat_completion_duration: Limited<HistogramVec>,
    pub chat_time_to_first_token: Limited<HistogramVec>,
    pub chat_overhead: Histogram,
    pub embeddings: Limited<IntCounterVec>,
    pub embeddings_tokens: Limited<IntCounterVec>,
    pub active_streams: IntGauge,
    pub stream_subscribers: IntGauge,
    pub stream_resumes: IntCounter,
    pub stream_disconnects: IntCounter,
    pub generations_recovered: IntCounter,
    pub outbox_pending: IntGauge,
    pub outbox_oldest_seconds: IntGauge,
    pub outbox_dead_letters: IntGauge,
    pub outbox_lost: IntCounter,
    pub conversations: IntCounterVec,
    pub messages: IntCounterVec,
    pub revenue_usd: Limited<CounterVec>,
    pub unpriced_completions: IntCounter,
    pub balance_rejections: IntCounterVec,
    pub reservations_open: IntGauge,
    pub reservation_leaks: IntCounter,
    pub reservation_overruns: IntCounter,
    pub catalog_models: IntGauge,
    pub catalog_stale: IntGauge,
    pub catalog_dropped: IntCounterVec,
    pub upstream_requests: IntCounterVec,
    pub upstream_request_duration: HistogramVec,
    pub upstream_retries: IntCounterVec,
    pub circuit_breaker_state: IntGaugeVec,
    pub errors: IntCounterVec,
    pub best_effort_failures: IntCounterVec,
    pub db_pool_connections: IntGaugeVec,
    pub cache_operations: IntCounterVec,
    pub cache_entries: IntGaugeVec,
    pub rate_limit_decisions: IntCounterVec,
    pub cache_backend_up: IntGaugeVec,
    pub api_keys: IntCounterVec,
    pub user_data: IntCounterVec,
}

impl Metrics {
    /// Registers all families. `user_label_limit` is how many users appear by id; with 0 there is no such label.
    ///
    /// # Errors
    /// If two families had one name, which a test rules out.
    pub fn new(user_label_limit: usize) -> Result<Self, prometheus::Error> {
        let r = Registry::new();
        let metrics = Self {
            models: ModelLabels::default(),
            users: LabelLimit::new(user_label_limit),
            http_requests: by_request(&r, "http_requests_total", "HTTP requests answered")?,
            http_request_duration: times_by_request(
                &r,
                "http_request_duration_seconds",
                "Time from the request's head to the end of the response's body",
            )?,
            http_requests_in_flight: gauge(
                &r,
                "http_requests_in_flight",
                "Requests whose response is not finished",
            )?,
            http_rejections: counters(
                &r,
                "http_rejections_total",
                "Requests refused before any work was done",
                &["reason"],
            )?,
            chat_completions: by_answer(
                &r,
                "chat_completions_total",
                "Answers by how they ended",
                user_label_limit > 0,
            )?,
            chat_tokens: by_model(
                &r,
                "chat_tokens_total",
                "Tokens that models read and wrote",
                &["model", "type"],
            )?,
            chat_completion_duration: times_by_model(
                &r,
                "chat_completion_duration_seconds",
                "Time from the start of an answer to its end",
            )?,
            chat_time_to_first_token: times_by_model(
                &r,
                "chat_time_to_first_token_seconds",
                "Time from the start of an answer to its first token",
            )?,
            chat_overhead: histogram(
                &r,
                "chat_overhead_seconds",
                "Our own time before the first token: request time minus time waiting for upstreams",
            )?,
            embeddings: by_model(
                &r,
                "embeddings_total",
                "Requests for embeddings by how they ended",
                &["model", "status"],
            )?,
            embeddings_tokens: by_model(
                &r,
                "embeddings_tokens_total",
                "Tokens that models read for embeddings",
                &["model"],
            )?,
            active_streams: gauge(&r, "active_streams_current", "Answers being produced")?,
            stream_subscribers: gauge(&r, "stream_subscribers_current", "Connections reading an answer")?,
            stream_resumes: counter(&r, "stream_resumes_total", "Streams that a client came back to")?,
            stream_disconnects: counter(
                &r,
                "stream_disconnects_total",
                "Readers that left before the end of an answer",
            )?,
            generations_recovered: counter(
                &r,
                "generations_recovered_total",
                "Answers that a stopped process had left unfinished and that were closed",
            )?,
            outbox_pending: gauge(&r, "outbox_pending", "Answers waiting to be stored")?,
            outbox_oldest_seconds: gauge(
                &r,
                "outbox_oldest_seconds",
                "Age of the oldest answer waiting to be stored",
            )?,
            outbox_dead_letters: gauge(
                &r,
                "outbox_dead_letters",
                "Answers that could not be stored and are not tried any more",
            )?,
            outbox_lost: counter(
                &r,
                "outbox_lost_total",
                "Answers that could be kept nowhere, beyond their checkpoints",
            )?,
            conversations: counters(
                &r,
                "conversations_total",
                "Operations on conversations",
                &["operation"],
            )?,
            messages: counters(&r, "messages_total", "Messages stored", &["role"])?,
            revenue_usd: amounts_by_model(&r, "revenue_total_usd", "What answers cost, in US dollars")?,
            unpriced_completions: counter(
                &r,
                "unpriced_completions_total",
                "Answers whose cost nobody could tell",
            )?,
            balance_rejections: counters(
                &r,
                "balance_rejections_total",
                "Answers that were refused for want of money, of a price, or of a good standing",
                &["reason"],
            )?,
            reservations_open: gauge(
                &r,
                "reservations_open",
                "Answers for which something is held back, at all instances",
            )?,
            reservation_leaks: counter(
                &r,
                "reservation_leaks_total",
                "Reservations that were found without anybody at work on their answers",
            )?,
            reservation_overruns: counter(
                &r,
                "reservation_overruns_total",
                "Answers that cost more than was held back for them",
            )?,
            catalog_models: gauge(&r, "catalog_models", "Models in the catalog")?,
            catalog_stale: gauge(
                &r,
                "catalog_stale",
                "Whether the models could not be read the last time, wholly or in part",
            )?,
            catalog_dropped: counters(
                &r,
                "catalog_dropped_total",
                "What was left out of the model server's lists because it makes no sense",
                &["kind"],
            )?,
            upstream_requests: counters(
                &r,
                "upstream_requests_total",
                "Calls to upstreams by how they ended",
                &["upstream", "operation", "result"],
            )?,
            upstream_request_duration: histograms(
                &r,
                "upstream_request_duration_seconds",
                "Time until an upstream answered",
                &["upstream", "operation"],
            )?,
            upstream_retries: counters(
                &r,
                "upstream_retries_total",
                "Calls repeated",
                &["upstream", "operation"],
            )?,
            circuit_breaker_state: gauges(
                &r,
                "circuit_breaker_state",
                "0 closed, 1 half-open, 2 open",
                &["upstream"],
            )?,
            errors: counters(
                &r,
                "errors_total",
                "Errors answered, by code",
                &["type", "service"],
            )?,
            best_effort_failures: counters(
                &r,
                "best_effort_failures_total",
                "Work that may fail without failing a request, and did",
                &["operation"],
            )?,
            db_pool_connections: gauges(&r, "db_pool_connections", "Database connections", &["state"])?,
            cache_operations: counters(
                &r,
                "cache_operations_total",
                "Cache operations",
                &["operation", "namespace", "backend", "result"],
            )?,
            cache_entries: gauges(&r, "cache_entries", "Entries held", &["backend"])?,
            rate_limit_decisions: counters(
                &r,
                "rate_limit_decisions_total",
                "What the rate limits were asked about and decided",
                &["scope", "decision"],
            )?,
            cache_backend_up: gauges(
                &r,
                "cache_backend_up",
                "Whether what the cache keeps its entries in is there",
                &["backend"],
            )?,
            api_keys: counters(
                &r,
                "api_keys_total",
                "Operations on API keys, and API keys that were refused",
                &["operation"],
            )?,
            user_data: counters(
                &r,
                "user_data_total",
                "Users whose data were exported as a whole, or erased",
                &["operation"],
            )?,
            registry: r,
        };
        metrics.start_at_zero();
        Ok(metrics)
    }

    /// A labelled family shows nothing until a label is used: touch each closed label once.
    fn start_at_zero(&self) {
        for code in ErrorCode::ALL {
            self.errors.with_label_values(&[code.as_str(), SERVICE]);
        }
        for reason in Rejection::ALL {
            self.http_rejections.with_label_values(&[reason.as_str()]);
        }
        for role in ["user", "assistant", "system", "tool"] {
            self.messages.with_label_values(&[role]);
        }
        self.conversations.with_label_values(&["created"]);
        for state in ["idle", "used"] {
            self.db_pool_connections.with_label_values(&[state]);
        }
        for operation in ["chat", "embeddings", "models", "health"] {
            self.upstream_requests
                .with_label_values(&["llm", operation, "ok"]);
            self.upstream_request_duration
                .with_label_values(&["llm", operation]);
            self.upstream_retries.with_label_values(&["llm", operation]);
        }
        self.circuit_breaker_state.with_label_values(&["llm"]);
        for kind in ["model", "price", "limit"] {
            self.catalog_dropped.with_label_values(&[kind]);
        }
        for (namespace, result) in [
            ("claims", "hit"),
            ("claims", "miss"),
            ("api_keys", "hit"),
            ("api_keys", "miss"),
        ] {
            self.cache_operations
                .with_label_values(&["get", namespace, "memory", result]);
        }
        for operation in ["created", "updated", "revoked", "refused"] {
            self.api_keys.with_label_values(&[operation]);
        }
        for operation in ["exported", "erased"] {
            self.user_data.with_label_values(&[operation]);
        }
        self.cache_entries.with_label_values(&["memory"]);
        for scope in ["user", "instance", "authentication"] {
            for decision in ["allowed", "denied"] {
                self.rate_limit_decisions.with_label_values(&[scope, decision]);
            }
        }
        self.cache_backend_up.with_label_values(&["memory"]).set(1);
        for reason in ["insufficient", "unpriced", "suspended"] {
            self.balance_rejections.with_label_values(&[reason]);
        }
        for operation in [
            "checkpoint",
            "api_key_last_use",
            "chat_preferences",
            "feature_use",
        ] {
            self.best_effort_failures.with_label_values(&[operation]);
        }
        self.http_requests
            .with_label_values(&["GET", "/live", "200"])
            .inc_by(0);
        self.http_request_duration.with_label_values(&["GET", "/live"]);
        self.chat_completions
            .with_label_values(&[OTHER, OTHER, "completed", "true"]);
        self.embeddings.with_label_values(&[OTHER, "completed"]);
        self.embeddings_tokens.with_label_values(&[OTHER]);
        for kind in ["input", "output", "cached", "reasoning"] {
            self.chat_tokens.with_label_values(&[OTHER, kind]);
        }
        self.chat_completion_duration.with_label_values(&[OTHER]);
        self.chat_time_to_first_token.with_label_values(&[OTHER]);
        self.revenue_usd.with_label_values(&[OTHER]);
    }

    /// Adds the families that every process on Linux can tell, and what was built.
    ///
    /// # Errors
    /// If they were added before.
    pub fn register_process(
        &self,
        version: &str,
        commit: &str,
        rustc: &str,
    ) -> Result<(), prometheus::Error> {
        let build = gauges(
            &self.registry,
            "build_info",
            "What is running",
            &["version", "commit", "rustc"],
        )?;
        build.with_label_values(&[version, commit, rustc]).set(1);
        self.registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))
    }

    /// The text that Prometheus scrapes (exposition format 0.0.4).
    ///
    /// # Errors
    /// If a family cannot be written, which would be a fault in the registry.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Says which models there are: the others are `other` in labels from now on.
    pub fn know_models(&self, is_known: impl Fn(&str) -> bool + Send + Sync + 'static) {
        self.models.know(is_known);
    }

    /// The label for a model: its id, or `other` if there is no such model, or past the limit.
    pub fn model_label<'a>(&self, model: &'a str) -> &'a str {
        self.models.admit(model)
    }

    /// The label for a user: the id, or `other` past the limit, or nothing where there is no such label.
    pub fn user_label<'a>(&self, user: &'a str) -> &'a str {
        if self.users.is_nothing() {
            ""
        } else {
            self.users.admit(user)
        }
    }

    /// Counts one call to an upstream.
    pub fn upstream_call(&self, upstream: &str, operation: &str, result: &str, took: Duration) {
        self.upstream_requests
            .with_label_values(&[upstream, operation, result])
            .inc();
        self.upstream_request_duration
            .with_label_values(&[upstream, operation])
            .observe(took.as_secs_f64());
    }

    /// Counts an error that was answered, in a status or in a stream.
    pub fn error(&self, code: ErrorCode) {
        self.errors.with_label_values(&[code.as_str(), SERVICE]).inc();
    }

    /// Counts a request that was refused before any work was done.
    pub fn rejection(&self, reason: Rejection) {
        self.http_rejections.with_label_values(&[reason.as_str()]).inc();
    }
}

/// The `service` label of `errors_total`.
const SERVICE: &str = "orchestrator";

#[cfg(test)]
mod tests;
