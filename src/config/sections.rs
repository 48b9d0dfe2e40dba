//! The shape of the settings: one struct per group, in the units the code uses.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use jsonwebtoken::Algorithm;
use secrecy::SecretString;

use super::providers::DirectProviderSettings;

/// Every setting of the service, parsed and validated. Read once at start; never changed afterwards.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Identity, address and life cycle of the process.
    pub app: AppSettings,
    /// The SQL database that this installation owns.
    pub database: DatabaseSettings,
    /// Supabase and its Edge Functions.
    pub supabase: SupabaseSettings,
    /// The model servers and the limits of a model call.
    pub models: ModelSettings,
    /// Redis and the in-process cache.
    pub cache: CacheSettings,
    /// Tokens, CORS, proxies and body sizes.
    pub security: SecuritySettings,
    /// Pools, concurrency, time limits and streams.
    pub load: LoadSettings,
    /// Limits of the product.
    pub business: BusinessSettings,
    /// What is switched on.
    pub features: FeatureSettings,
    /// Metrics, logs, traces and health checks.
    pub monitoring: MonitoringSettings,
    /// What was noted while reading.
    pub(super) notes: Notes,
}

/// What was noted while the settings were read. Holds names and places, never values.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// Settings that were given and that this release does not use yet.
    pub not_yet_effective: Vec<&'static str>,
}

/// Where the service runs; production refuses development defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Environment {
    /// A developer's machine: generated secrets and the demo model are allowed.
    #[default]
    Development,
    /// As production, but development defaults are only warned about.
    Staging,
    /// Real users: development defaults are refused at start.
    Production,
}

/// Identity, address and life cycle of the process.
#[derive(Debug, Clone)]
pub struct AppSettings {
    /// `APP_NAME`: shown in `/info` and the docs.
    pub name: String,
    /// `VERSION`: shown in `/info`; the binary's own unless set.
    pub version: String,
    /// `ENVIRONMENT`.
    pub environment: Environment,
    /// `DEBUG`: log level DEBUG and readable logs; never internals in an answer.
    pub debug: bool,
    /// `LOG_LEVEL`: a level or a `tracing` filter.
    pub log_level: String,
    /// `HOST`: the address or host name to listen on.
    pub host: String,
    /// `PORT`: 0 picks a free one.
    pub port: u16,
    /// `SHUTDOWN_TIMEOUT`: how long running answers may go on after SIGTERM.
    pub shutdown_timeout: Duration,
    /// `DATA_DIR`: the folder for the SQLite file, the generated secret and the journal.
    pub data_dir: PathBuf,
}

/// Which database holds the service's own data.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL connection URL (it may hold a password).
    Postgres(SecretString),
}

/// How hard SQLite pushes a commit to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SqliteSynchronous {
    /// Survives a power loss.
    #[default]
    Full,
    /// Survives a killed process.
    Normal,
}

/// The SQL database that this installation owns.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `DATABASE_URL`.
    pub url: DatabaseUrl,
    /// `DATABASE_MAX_CONNECTIONS`: readers on SQLite, all on PostgreSQL.
    pub max_connections: u32,
    /// `SQLITE_SYNCHRONOUS`.
    pub sqlite_synchronous: SqliteSynchronous,
}

/// Where user profiles come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileSource {
    /// PostgREST's `user_profiles`.
    Supabase,
    /// The service's own SQL database.
    Sql,
}

/// Who moves `spend` in a Supabase profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpendSync {
    /// The billing that runs beside LiteLLM.
    #[default]
    External,
    /// This service, with the service key.
    Write,
}

/// Supabase and its Edge Functions.
#[derive(Debug, Clone)]
pub struct SupabaseSettings {
    /// `SUPABASE_URL`, without a trailing slash.
    pub url: Option<String>,
    /// `SUPABASE_ANON_KEY` or `SUPABASE_PUBLISHABLE_KEY`.
    pub anon_key: Option<SecretString>,
    /// `SUPABASE_SERVICE_KEY` or `SUPABASE_SECRET_KEY`; used for `SPEND_SYNC=write` alone.
    pub service_key: Option<SecretString>,
    /// `EDGE_FUNCTION_URL`, without a trailing slash.
    pub edge_function_url: Option<String>,
    /// `EDGE_CONVERSATION_FUNCTION`.
    pub conversation_function: String,
    /// `EDGE_TIMEOUT`.
    pub timeout: Duration,
    /// `EDGE_MAX_RETRIES`.
    pub max_retries: u32,
    /// `EDGE_ALLOWED_FUNCTIONS`: functions that the pass-through may reach.
    pub allowed_functions: Vec<String>,
    /// `PROFILE_SOURCE`.
    pub profile_source: ProfileSource,
    /// `SPEND_SYNC`.
    pub spend_sync: SpendSync,
}

/// One entry of `FALLBACK_MODELS`: what to ask when `model` cannot answer before its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFallback {
    /// The model that was asked for.
    pub model: String,
    /// The models to try after it, in order.
    pub fallbacks: Vec<String>,
}

/// The model servers and the limits of a model call.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// `LITELLM_URL`: base URL with or without `/v1`, without a trailing slash.
    pub litellm_url: Option<String>,
    /// `LITELLM_MASTER_KEY`.
    pub litellm_master_key: Option<SecretString>,
    /// `LITELLM_TIMEOUT`: the longest silence between chunks; not streamed: the whole answer.
    pub idle_timeout: Duration,
    /// `LITELLM_CONNECT_TIMEOUT`.
    pub connect_timeout: Duration,
    /// `LITELLM_FIRST_TOKEN_TIMEOUT`: streams.
    pub first_token_timeout: Duration,
    /// `LITELLM_MAX_RETRIES`: before the first token only.
    pub max_retries: u32,
    /// `DEFAULT_MODEL`.
    pub default_model: Option<String>,
    /// `DEFAULT_MAX_TOKENS`.
    pub default_max_tokens: u32,
    /// `MAX_OUTPUT_TOKENS`: the most that a request may ask for.
    pub max_output_tokens: u32,
    /// `MAX_TEMPERATURE`.
    pub max_temperature: f64,
    /// `FALLBACK_MODELS`.
    pub fallbacks: Vec<ModelFallback>,
    /// Providers that are called without LiteLLM: those that have a key.
    pub direct_providers: Vec<DirectProviderSettings>,
}

impl ModelSettings {
    /// Where answers come from: `litellm`, `providers` where there are only these, or `demo`.
    #[must_use]
    pub const fn backend(&self) -> &'static str {
        match (&self.litellm_url, self.direct_providers.is_empty()) {
            (Some(_), _) => "litellm",
            (None, false) => "providers",
            (None, true) => "demo",
        }
    }

    /// Whether nothing but the built-in model can answer.
    #[must_use]
    pub const fn is_demo(&self) -> bool {
        self.litellm_url.is_none() && self.direct_providers.is_empty()
    }
}

/// Redis and the in-process cache.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// `REDIS_ENABLED`.
    pub redis_enabled: bool,
    /// `REDIS_URL` (it may hold a password).
    pub redis_url: SecretString,
    /// `REDIS_PASSWORD`.
    pub redis_password: Option<SecretString>,
    /// `REDIS_MAX_CONNECTIONS`: at least the three that are opened.
    pub redis_max_connections: u32,
    /// `REDIS_RETRY_ATTEMPTS`: quick reconnects, before one each second.
    pub redis_retry_attempts: u32,
    /// `REDIS_TIMEOUT_MS`: for one operation.
    pub redis_timeout: Duration,
    /// `CACHE_TTL_DEFAULT`.
    pub ttl_default: Duration,
    /// `CACHE_TTL_USER_PROFILE`.
    pub ttl_user_profile: Duration,
    /// `CACHE_TTL_MODELS`.
    pub ttl_models: Duration,
    /// `CACHE_TTL_CONVERSATIONS`.
    pub ttl_conversations: Duration,
    /// `CACHE_MAX_ENTRIES`: of each in-process cache.
    pub max_entries: u64,
}

/// Tokens, CORS, proxies and body sizes.
#[derive(Debug, Clone)]
pub struct SecuritySettings {
    /// `JWT_SECRET_KEY`, decoded when it was given as `base64:…`. `None`: a development secret is generated
    /// into the data folder.
    pub jwt_secret: Option<SecretBytes>,
    /// `JWT_ALGORITHM`: one or more of HS256, HS384, HS512.
    pub jwt_algorithms: Vec<Algorithm>,
    /// `JWT_AUDIENCE`.
    pub jwt_audience: String,
    /// `JWT_ISSUER`.
    pub jwt_issuer: Option<String>,
    /// `SUPABASE_JWKS_URL`; unless set, `{SUPABASE_URL}/auth/v1/.well-known/jwks.json`.
    pub jwks_url: Option<String>,
    /// `JWKS_REFRESH_SECONDS`.
    pub jwks_refresh: Duration,
    /// `CORS_ORIGINS`: exact origins, or the single entry `*`.
    pub cors_origins: Vec<String>,
    /// `CORS_CREDENTIALS`.
    pub cors_credentials: bool,
    /// `TRUSTED_PROXIES`: peers whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// `METRICS_TOKEN`: the bearer that `/metrics` asks for.
    pub metrics_token: Option<SecretString>,
    /// `MAX_BODY_BYTES`.
    pub max_body_bytes: usize,
    /// `MAX_IMPORT_BYTES`.
    pub max_import_bytes: usize,
}

/// Secret bytes that print as `[REDACTED]`.
pub type SecretBytes = secrecy::SecretSlice<u8>;

impl SecuritySettings {
    /// Whether an `X-Forwarded-For` from this peer may be believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// What becomes of an answer whose last reader went away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDisconnect {
    /// It runs to its end and is stored.
    #[default]
    Continue,
    /// It is stopped after `DISCONNECT_GRACE_SECONDS`; the partial text is stored.
    Cancel,
}

/// Pools, concurrency, time limits and streams.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// `CONNECTION_POOL_SIZE`: a cap for Edge Functions; for models the number kept idle.
    pub connection_pool_size: usize,
    /// `MAX_CONCURRENT_REQUESTS`.
    pub max_concurrent_requests: usize,
    /// `MAX_CONCURRENT_STREAMS_PER_USER`.
    pub max_streams_per_user: usize,
    /// `REQUEST_TIMEOUT`: not for chat, streams, imports and the body of an export.
    pub request_timeout: Duration,
    /// `HEADER_READ_TIMEOUT`.
    pub header_read_timeout: Duration,
    /// `WRITE_TIMEOUT`.
    pub write_timeout: Duration,
    /// `STREAM_TIMEOUT`: the longest answer.
    pub stream_timeout: Duration,
    /// `SSE_KEEPALIVE_SECONDS`.
    pub sse_keepalive: Duration,
    /// `STREAM_RETENTION_SECONDS`: how long an ended stream can be replayed.
    pub stream_retention: Duration,
    /// `REPLAY_MAX_BYTES`: all replay logs together.
    pub replay_max_bytes: usize,
    /// `ON_DISCONNECT`.
    pub on_disconnect: OnDisconnect,
    /// `DISCONNECT_GRACE_SECONDS`.
    pub disconnect_grace: Duration,
    /// `CHECKPOINT_SECONDS`.
    pub checkpoint_interval: Duration,
    /// `RATE_LIMIT_ENABLED`.
    pub rate_limit_enabled: bool,
    /// `USER_RATE_LIMIT_PER_MINUTE`.
    pub user_rate_per_minute: u32,
    /// `USER_RATE_LIMIT_BURST`.
    pub user_rate_burst: u32,
    /// `RATE_LIMIT_PER_MINUTE`: the whole instance.
    pub rate_per_minute: u32,
    /// `RATE_LIMIT_BURST`.
    pub rate_burst: u32,
}

/// Limits of the product.
#[derive(Debug, Clone)]
pub struct BusinessSettings {
    /// `MAX_CONTEXT_MESSAGES`: the newest messages sent to a model.
    pub max_context_messages: u32,
    /// `MAX_MESSAGE_LENGTH`, in characters.
    pub max_message_length: usize,
    /// `MAX_BRANCHES_PER_CONVERSATION`.
    pub max_branches_per_conversation: u32,
    /// `MAX_CONVERSATIONS_PER_USER`.
    pub max_conversations_per_user: u32,
    /// `MAX_MESSAGES_PER_CONVERSATION`.
    pub max_messages_per_conversation: u32,
    /// `MAX_BATCH_OPERATION_SIZE`.
    pub max_batch_operation_size: u32,
    /// `MIN_BALANCE_THRESHOLD`, in nano-dollars.
    pub min_balance_threshold_nano: i64,
    /// `ALLOW_UNPRICED_MODELS`.
    pub allow_unpriced_models: bool,
    /// `DEFAULT_USER_BUDGET`, in nano-dollars; `None`: as much as users like.
    pub default_user_budget_nano: Option<i64>,
    /// `DEFAULT_PAGE_SIZE`.
    pub default_page_size: u32,
    /// `MAX_PAGE_SIZE`.
    pub max_page_size: u32,
}

/// What is switched on. A feature that is off answers 403 `FEATURE_DISABLED`.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent switch that an operator names"
)]
pub struct FeatureSettings {
    /// `ENABLE_BRANCH_MERGING`.
    pub branch_merging: bool,
    /// `ENABLE_MESSAGE_EDITING`.
    pub message_editing: bool,
    /// `ENABLE_CONVERSATION_EXPORT`.
    pub conversation_export: bool,
    /// `ENABLE_USER_ANALYTICS`.
    pub user_analytics: bool,
    /// `ENABLE_USER_API_KEYS`.
    pub user_api_keys: bool,
    /// `ENABLE_USER_DATA_EXPORT`.
    pub user_data_export: bool,
    /// `ENABLE_BATCH_OPERATIONS`.
    pub batch_operations: bool,
    /// `ENABLE_DOCS`.
    pub docs: bool,
    /// `ENABLE_CONSOLE`.
    pub console: bool,
}

/// Metrics, logs, traces and health checks.
#[derive(Debug, Clone)]
pub struct MonitoringSettings {
    /// `ENABLE_METRICS`.
    pub metrics: bool,
    /// `METRICS_PORT`: `/metrics` is then served on this port only.
    pub metrics_port: Option<u16>,
    /// `METRICS_USER_LABEL_LIMIT`: users named by id in metrics; 0 = no user label.
    pub user_label_limit: usize,
    /// `ENABLE_STRUCTURED_LOGGING`: JSON lines. `None`: JSON unless stdout is a terminal.
    pub structured_logging: Option<bool>,
    /// `LOG_FILE`: rotated daily.
    pub log_file: Option<PathBuf>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub otlp_endpoint: Option<String>,
    /// `HEALTH_CHECK_INTERVAL`: how long a result is reused.
    pub health_check_interval: Duration,
    /// `HEALTH_CHECK_TIMEOUT`.
    pub health_check_timeout: Duration,
}
