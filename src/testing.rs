//! Settings, a state and requests for unit tests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jsonwebtoken::Algorithm;
use serde_json::Value;
use tower::ServiceExt;

use crate::config::{
    AppSettings, BusinessSettings, CacheSettings, DatabaseSettings, DatabaseUrl, Environment,
    FeatureSettings, LoadSettings, ModelSettings, MonitoringSettings, OnDisconnect, ProfileSource,
    SecuritySettings, Settings, SpendSync, SqliteSynchronous, SupabaseSettings,
};
use crate::models::ids::UserId;
use crate::services::auth::{Authenticator, DevelopmentToken};
use crate::services::health::{Check, HealthService};
use crate::services::lifecycle::Lifecycle;
use crate::state::{AppState, Services};
use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;

const SECRET: &[u8] = b"the secret that unit tests sign with";

/// The defaults of development.
pub fn settings() -> Settings {
    Settings {
        app: app(),
        database: DatabaseSettings {
            url: DatabaseUrl::Sqlite(PathBuf::from("data/orchestrator.db")),
            max_connections: 20,
            sqlite_synchronous: SqliteSynchronous::Full,
        },
        supabase: supabase(),
        models: models(),
        cache: cache(),
        security: security(),
        load: load(),
        business: business(),
        features: FeatureSettings {
            branch_merging: true,
            message_editing: true,
            conversation_export: true,
            user_analytics: true,
            user_api_keys: true,
            user_data_export: true,
            batch_operations: true,
            docs: true,
            console: true,
        },
        monitoring: MonitoringSettings {
            metrics: true,
            metrics_port: None,
            user_label_limit: 100,
            structured_logging: None,
            log_file: None,
            otlp_endpoint: None,
            health_check_interval: Duration::from_secs(30),
            health_check_timeout: Duration::from_secs(5),
        },
    }
}

/// A state on these settings and health checks, ready to serve.
pub fn state(settings: Settings, checks: Vec<Arc<dyn Check>>) -> AppState {
    let clock = Clock::system();
    let metrics = Arc::new(Metrics::new(settings.monitoring.user_label_limit).expect("families"));
    let secret = SECRET.to_vec().into();
    let authenticator = Authenticator::new(&settings.security, &secret, &metrics, clock.clone());
    let lifecycle = Lifecycle::new();
    lifecycle.set_ready();
    AppState::from(Services {
        health: Arc::new(HealthService::new(checks, &settings, clock.clone())),
        settings: Arc::new(settings),
        metrics,
        authenticator: Arc::new(authenticator),
        lifecycle,
        clock,
    })
}

/// The value of an `Authorization` header that [`state`] accepts.
pub fn bearer() -> String {
    let token = DevelopmentToken {
        user: UserId(uuid::Uuid::from_u128(7)),
        email: None,
        ttl: Duration::from_secs(600),
        audience: "authenticated",
        issuer: None,
    };
    let secret = SECRET.to_vec().into();
    let token = token
        .sign(&secret, Algorithm::HS256, &Clock::system())
        .expect("a token");
    format!("Bearer {token}")
}

fn app() -> AppSettings {
    AppSettings {
        name: "AI Chat Orchestrator".to_owned(),
        version: "2.0.0".to_owned(),
        environment: Environment::Development,
        debug: false,
        log_level: "INFO".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 0,
        shutdown_timeout: Duration::from_secs(30),
        data_dir: PathBuf::from("data"),
    }
}

fn supabase() -> SupabaseSettings {
    SupabaseSettings {
        url: None,
        anon_key: None,
        service_key: None,
        edge_function_url: None,
        conversation_function: "conversation-manager".to_owned(),
        timeout: Duration::from_secs(30),
        max_retries: 3,
        allowed_functions: Vec::new(),
        profile_source: ProfileSource::Sql,
        spend_sync: SpendSync::External,
    }
}

fn models() -> ModelSettings {
    ModelSettings {
        litellm_url: None,
        litellm_master_key: None,
        idle_timeout: Duration::from_secs(120),
        connect_timeout: Duration::from_secs(5),
        first_token_timeout: Duration::from_secs(60),
        max_retries: 2,
        default_model: None,
        default_max_tokens: 2000,
        max_output_tokens: 32_768,
        max_temperature: 2.0,
        fallbacks: Vec::new(),
        provider_keys: Default::default(),
    }
}

fn cache() -> CacheSettings {
    CacheSettings {
        redis_enabled: false,
        redis_url: "redis://localhost:6379/0".into(),
        redis_password: None,
        redis_max_connections: 10,
        redis_retry_attempts: 3,
        redis_timeout: Duration::from_millis(50),
        ttl_default: Duration::from_secs(3600),
        ttl_user_profile: Duration::from_secs(1800),
        ttl_models: Duration::from_secs(3600),
        ttl_conversations: Duration::from_secs(300),
        max_entries: 10_000,
    }
}

fn security() -> SecuritySettings {
    SecuritySettings {
        jwt_secret: None,
        jwt_algorithms: vec![Algorithm::HS256],
        jwt_audience: "authenticated".to_owned(),
        jwt_issuer: None,
        jwks_url: None,
        jwks_refresh: Duration::from_secs(600),
        cors_origins: vec!["http://localhost:3000".to_owned()],
        cors_credentials: true,
        trusted_proxies: Vec::new(),
        metrics_token: None,
        max_body_bytes: 1_048_576,
        max_import_bytes: 268_435_456,
    }
}

fn load() -> LoadSettings {
    LoadSettings {
        connection_pool_size: 100,
        max_concurrent_requests: 10_000,
        max_streams_per_user: 20,
        request_timeout: Duration::from_secs(30),
        header_read_timeout: Duration::from_secs(10),
        stream_timeout: Duration::from_secs(600),
        sse_keepalive: Duration::from_secs(15),
        stream_retention: Duration::from_secs(300),
        replay_max_bytes: 268_435_456,
        on_disconnect: OnDisconnect::Continue,
        disconnect_grace: Duration::from_secs(30),
        checkpoint_interval: Duration::from_secs(1),
        rate_limit_enabled: false,
        user_rate_per_minute: 60,
        user_rate_burst: 10,
        rate_per_minute: 6000,
        rate_burst: 200,
    }
}

fn business() -> BusinessSettings {
    BusinessSettings {
        max_context_messages: 100,
        max_message_length: 32_000,
        max_branches_per_conversation: 10,
        max_conversations_per_user: 1000,
        max_messages_per_conversation: 500,
        max_batch_operation_size: 50,
        min_balance_threshold_nano: 10_000_000,
        allow_unpriced_models: false,
        default_user_budget_nano: 10_000_000_000,
        default_page_size: 20,
        max_page_size: 100,
    }
}

/// What a router answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `error.code` of the body.
    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// A header as text; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or_default())
    }
}

/// Sends a request through a router and reads the whole answer.
pub async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.expect("a body").to_bytes(),
    }
}

/// A request without a body.
pub fn request(method: &str, path: &str) -> Request<Body> {
    request_with(method, path, &[], Body::empty())
}

/// A request with headers and a body.
pub fn request_with(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a request")
}
