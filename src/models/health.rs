//! Wire types of the operational routes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// How the service as a whole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Everything works.
    Healthy,
    /// Chat works, something else does not.
    Degraded,
    /// Chat cannot work.
    Unhealthy,
}

/// How one thing that the service depends on is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceStatus {
    /// It answered.
    Healthy,
    /// It failed or did not answer in time.
    Unhealthy,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServiceHealth {
    /// How it is.
    pub status: ServiceStatus,
    /// How long the check took, in milliseconds.
    #[schema(example = 3)]
    pub latency_ms: u64,
    /// More, in words fit for everyone's eyes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The answer of `/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Health {
    /// The whole.
    pub status: HealthStatus,
    /// The service's version.
    #[schema(example = "2.0.0")]
    pub version: String,
    /// Time since the process started, in seconds.
    pub uptime_seconds: u64,
    /// When the checks ran.
    pub timestamp: DateTime<Utc>,
    /// Each thing that the service depends on, by name.
    pub services: BTreeMap<String, ServiceHealth>,
}

/// Whether to send requests here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadyStatus {
    /// Yes.
    Ready,
    /// Not yet.
    Starting,
    /// No more: the process is about to stop.
    Draining,
    /// Not now: the store does not answer.
    StoreUnavailable,
}

/// The answer of `/ready`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ready {
    /// Whether to send requests here, and if not, why.
    pub status: ReadyStatus,
}

/// The answer of `/live`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Live {
    /// Always `alive`.
    #[schema(example = "alive")]
    pub status: &'static str,
}

/// The answer of `/info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Info {
    /// The service's name.
    #[schema(example = "AI Chat Orchestrator")]
    pub service: String,
    /// Its version.
    #[schema(example = "2.0.0")]
    pub version: String,
    /// The commit that it was built from; `unknown` where the build was not told.
    pub commit: String,
    /// `development`, `staging` or `production`.
    #[schema(example = "production")]
    pub environment: String,
    /// The features that are switched on.
    pub features: Vec<String>,
    /// The limits that a client can run into.
    pub limits: Limits,
    /// What stands behind the service.
    pub backends: Backends,
}

/// Limits that a client can run into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Limits {
    /// Largest request body, in bytes; of an import, `max_import_bytes`.
    pub max_body_bytes: usize,
    /// Largest file that is imported, in bytes.
    pub max_import_bytes: usize,
    /// Longest message, in characters.
    pub max_message_length: usize,
    /// Newest messages that a model is sent.
    pub max_context_messages: u32,
    /// Conversations that one user may have.
    pub max_conversations_per_user: u32,
    /// Branches that a conversation may have, unless they are imported.
    pub max_branches_per_conversation: u32,
    /// Messages that a conversation may have, unless they are imported.
    pub max_messages_per_conversation: u32,
    /// Conversations in one batch.
    pub max_batch_operation_size: u32,
    /// Most tokens that an answer may be asked to have.
    pub max_output_tokens: u32,
    /// Largest page of a list.
    pub max_page_size: u32,
    /// Answers that one user may have produced at a time.
    pub max_concurrent_streams_per_user: usize,
}

/// What stands behind the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Backends {
    /// Where conversations are kept: `sqlite` or `postgresql`.
    #[schema(example = "sqlite")]
    pub store: &'static str,
    /// Where answers come from: `litellm`, `providers` (without LiteLLM) or `demo`.
    #[schema(example = "litellm")]
    pub models: &'static str,
}

/// The answer of `/`: where everything is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Index {
    /// The service's name.
    #[schema(example = "AI Chat Orchestrator")]
    pub service: String,
    /// Its version.
    #[schema(example = "2.0.0")]
    pub version: String,
    /// Paths by what is found there.
    pub links: BTreeMap<&'static str, &'static str>,
}
