//! What handlers share: the services, wired once.
//!
//! A handler asks for the service it uses (`State(metrics): State<Arc<Metrics>>`), never for the whole; a clone
//! of the state is one atomic. **Adding a service**: a field in [`Services`] and a line in `pieces!`.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::config::Settings;
use crate::extract::{BodyLimits, LargeBodyLimit, PageLimits};
use crate::services::analytics::{AnalyticsService, FeatureUses};
use crate::services::api_keys::ApiKeyService;
use crate::services::auth::{Authenticator, FailedAttempts};
use crate::services::billing::Billing;
use crate::services::cache::Cache;
use crate::services::catalog::Catalog;
use crate::services::chat::ChatService;
use crate::services::conversations::ConversationService;
use crate::services::embeddings::EmbeddingsService;
use crate::services::generation::Engine;
use crate::services::health::HealthService;
use crate::services::lifecycle::Lifecycle;
use crate::services::privacy::{Erasure, UserDataExport};
use crate::services::rate_limit::RequestLimits;
use crate::services::users::UserService;
use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;

/// The services of one running instance.
pub struct Services {
    /// Every setting.
    pub settings: Arc<Settings>,
    /// Every metric.
    pub metrics: Arc<Metrics>,
    /// From tokens to callers.
    pub authenticator: Arc<Authenticator>,
    /// API keys: in the hands of their users, and from keys to callers.
    pub api_keys: Arc<ApiKeyService>,
    /// What users may spend, and have spent.
    pub billing: Arc<Billing>,
    /// What is kept of what users read.
    pub cache: Cache,
    /// Which models there are.
    pub catalog: Arc<Catalog>,
    /// Who failed to authenticate, and how often.
    pub failed_attempts: Arc<FailedAttempts>,
    /// How often callers may come, if that is limited.
    pub request_limits: Option<Arc<RequestLimits>>,
    /// The life of the process.
    pub lifecycle: Lifecycle,
    /// Whether everything works.
    pub health: Arc<HealthService>,
    /// Chat.
    pub chat: Arc<ChatService>,
    /// Embeddings.
    pub embeddings: Arc<EmbeddingsService>,
    /// Conversations.
    pub conversations: Arc<ConversationService>,
    /// Erasing users.
    pub erasure: Erasure,
    /// Everything about a user as a document.
    pub user_data_export: Arc<UserDataExport>,
    /// Running answers.
    pub engine: Engine,
    /// What users used.
    pub analytics: Arc<AnalyticsService>,
    /// What users do beside chatting, counted.
    pub feature_uses: FeatureUses,
    /// Users: who they are, and what they prefer.
    pub users: Arc<UserService>,
    /// Time and ids.
    pub clock: Clock,
}

/// The state of the router.
#[derive(Clone)]
pub struct AppState(Arc<Services>);

impl From<Services> for AppState {
    fn from(services: Services) -> Self {
        Self(Arc::new(services))
    }
}

impl AppState {
    /// The services.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.0
    }
}

macro_rules! pieces {
    ($($field:ident: $piece:ty),+ $(,)?) => {$(
        impl FromRef<AppState> for $piece {
            fn from_ref(state: &AppState) -> Self {
                state.0.$field.clone()
            }
        }
    )+};
}

pieces! {
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    authenticator: Arc<Authenticator>,
    catalog: Arc<Catalog>,
    api_keys: Arc<ApiKeyService>,
    billing: Arc<Billing>,
    failed_attempts: Arc<FailedAttempts>,
    lifecycle: Lifecycle,
    health: Arc<HealthService>,
    chat: Arc<ChatService>,
    embeddings: Arc<EmbeddingsService>,
    conversations: Arc<ConversationService>,
    engine: Engine,
    erasure: Erasure,
    user_data_export: Arc<UserDataExport>,
    users: Arc<UserService>,
    analytics: Arc<AnalyticsService>,
    clock: Clock,
}

impl FromRef<AppState> for BodyLimits {
    fn from_ref(state: &AppState) -> Self {
        Self {
            max_bytes: state.0.settings.security.max_body_bytes,
            read_within: state.0.settings.load.request_timeout,
        }
    }
}

impl FromRef<AppState> for LargeBodyLimit {
    fn from_ref(state: &AppState) -> Self {
        Self(state.0.settings.security.max_import_bytes)
    }
}

impl FromRef<AppState> for PageLimits {
    fn from_ref(state: &AppState) -> Self {
        Self {
            default: state.0.settings.business.default_page_size,
            max: state.0.settings.business.max_page_size,
        }
    }
}
