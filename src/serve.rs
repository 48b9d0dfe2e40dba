//! A running server: everything started, and stopped in order.
//!
//! `main` and the tests start it through the same function. Start: folder, lock, port, database, what a stopped
//! process left behind; then connections are accepted. Stop: new work is refused, answers go on for `SHUTDOWN_TIMEOUT`, what is
//! left is stored as interrupted, connections are closed, then the database, and Redis last.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, lookup_host};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app;
use crate::config::{SecretBytes, Settings};
use crate::models::ids::InstanceId;
use crate::server::serve_connections;
use crate::services::auth::{DevelopmentSecret, SecretFileError};
use crate::services::cache::Cache;
use crate::services::conversations::StoreError;
use crate::services::gauges::Gauges;
use crate::services::generation::Engine;
use crate::services::health::COMMIT;
use crate::services::instance::{Instance, InstanceError};
use crate::services::lifecycle::Lifecycle;
use crate::services::llm::Model;
use crate::services::llm::demo::DemoModel;
use crate::services::llm::litellm_client::{ClientError, LiteLlmClient};
use crate::services::outbox::JournalError;
use crate::services::redis::{Redis, RedisUrlError};
use crate::services::sql::{OpenDatabase, OpenError};
use crate::state::AppState;
use crate::utils::clock::Clock;
use crate::utils::errors::ApiError;
use crate::utils::file_lock::FileLock;
use crate::utils::metrics::Metrics;
use crate::wiring::Wiring;

/// How long the background work may take to end.
const BACKGROUND_WITHIN: Duration = Duration::from_secs(5);

/// How long a start waits for Redis.
const REDIS_WITHIN: Duration = Duration::from_secs(1);

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be made.
    #[error("the data folder cannot be made: {0}")]
    DataDir(#[source] io::Error),
    /// The secret that development tokens are signed with.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// The data folder, or another instance that uses it.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The database, or another instance that serves from its file.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The client of the model servers.
    #[error(transparent)]
    Model(#[from] ClientError),
    /// The client of Redis.
    #[error(transparent)]
    Redis(#[from] RedisUrlError),
    /// The journal of the outbox.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What a stopped process left behind could not be closed.
    #[error("what the last run left unfinished cannot be recovered: {0}")]
    Recovery(#[source] ApiError),
    /// The metrics.
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The API document.
    #[error("the API document cannot be written: {0}")]
    Document(#[from] serde_json::Error),
    /// The address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A server that runs.
pub struct RunningServer {
    addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    lifecycle: Lifecycle,
    shutdown_timeout: Duration,
    serving: TaskTracker,
    background: TaskTracker,
    stop_background: CancellationToken,
    /// Ends after the background work, which has something left to tell.
    redis_work: TaskTracker,
    stop_redis: CancellationToken,
    database: OpenDatabase,
    new_secret: Option<SecretBytes>,
    engine: Engine,
    instance: Instance,
    lock: Option<FileLock>,
}

/// Starts a server.
///
/// # Errors
/// The first thing that is not as it must be; nothing is left running then.
pub async fn start(settings: Settings) -> Result<RunningServer, StartError> {
    let clock = Clock::system();
    let lifecycle = Lifecycle::new();
    let background = TaskTracker::new();
    tokio::fs::create_dir_all(&settings.app.data_dir)
        .await
        .map_err(StartError::DataDir)?;
    let (secret, new_secret) = secret(&settings)?;
    let patience = settings.app.shutdown_timeout;
    let instance = Instance::claim(&settings.app.data_dir, patience, &clock).await?;
    let lock = OpenDatabase::lock(&settings.database, patience).await?;
    let listener = listen(&settings.app.host, settings.app.port).await?;
    let metrics_listener = match settings
        .monitoring
        .metrics_port
        .filter(|_| settings.monitoring.metrics)
    {
        Some(port) => Some(listen(&settings.app.host, port).await?),
        None => None,
    };
    let database = OpenDatabase::open(&settings.database, clock.clone(), instance.id, &background).await?;
    let metrics = Arc::new(Metrics::new(settings.monitoring.user_label_limit)?);
    metrics.register_process(env!("CARGO_PKG_VERSION"), COMMIT, env!("BUILD_RUSTC"))?;
    let model = model(&settings, &metrics, &clock)?;
    let redis = redis(&settings, &metrics)?;
    let wiring = Wiring {
        settings: Arc::new(settings),
        secret,
        database: database.clone(),
        redis,
        background: background.clone(),
        metrics,
        model,
        clock,
    };
    let (services, outbox) = wiring.services(lifecycle.clone())?;
    let stop_redis = CancellationToken::new();
    let stop_background = stop_redis.child_token();
    let stop_unless_started = stop_redis.clone().drop_guard();
    let redis_work = TaskTracker::new();
    for work in wiring
        .redis
        .iter()
        .flat_map(|redis| redis.background(&stop_redis))
    {
        redis_work.spawn(work);
    }
    // What the last run left may have logs there, and what is asked first may be in the log of another instance.
    if let Some(redis) = &wiring.redis
        && !redis.up_within(REDIS_WITHIN).await
    {
        tracing::warn!("Redis is down: the service starts without it");
    }
    // What waits is whole; what recovery finds may be a part of it. So it is delivered first.
    let waiting = outbox
        .deliver_all()
        .await
        .map_err(|error| StartError::Recovery(StoreError::from(error).into()))?;
    services
        .engine
        .recover(&waiting)
        .await
        .map_err(StartError::Recovery)?;
    for work in services.engine.background(&stop_background) {
        background.spawn(work);
    }
    background.spawn(outbox.run(stop_background.clone()));
    background.spawn(services.feature_uses.clone().run(stop_background.clone()));
    if let Some(work) = services.catalog.background(&stop_background) {
        background.spawn(work);
    }
    if let Some(work) = services.cache.background(&stop_background) {
        background.spawn(work);
    }
    let forgetting = forget_at_deaths(services.engine.silent(), services.cache.clone());
    background.spawn(stop_background.clone().run_until_cancelled_owned(forgetting));
    let gauges = Gauges {
        database: database.clone(),
        authenticator: services.authenticator.clone(),
        api_keys: services.api_keys.clone(),
        billing: services.billing.clone(),
        cache: services.cache.clone(),
        metrics: wiring.metrics.clone(),
    };
    background.spawn(gauges.run(stop_background.clone()));
    background.spawn(
        stop_background
            .clone()
            .run_until_cancelled_owned(services.erasure.clone().finish_left()),
    );
    let engine = services.engine.clone();
    let state = AppState::from(services);
    let running = RunningServer {
        addr: address(&listener)?,
        metrics_addr: metrics_listener.as_ref().map(address).transpose()?,
        lifecycle: lifecycle.clone(),
        shutdown_timeout: wiring.settings.app.shutdown_timeout,
        serving: TaskTracker::new(),
        background,
        stop_background,
        redis_work,
        stop_redis,
        database,
        new_secret,
        engine,
        instance,
        lock,
    };
    if let Some(listener) = metrics_listener {
        running.serve(listener, app::metrics_router(state.clone()), &wiring.settings);
    }
    running.serve(listener, app::router(state)?, &wiring.settings);
    lifecycle.set_ready();
    stop_unless_started.disarm();
    Ok(running)
}

impl RunningServer {
    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where `/metrics` is served, if on a port of its own.
    #[must_use]
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Which kind of database it keeps its data in.
    #[must_use]
    pub fn database_name(&self) -> &'static str {
        self.database.name()
    }

    /// The secret for development tokens, if this start made it.
    #[must_use]
    pub const fn new_secret(&self) -> Option<&SecretBytes> {
        self.new_secret.as_ref()
    }

    /// Answers that are being produced.
    #[must_use]
    pub fn tracked_tasks(&self) -> usize {
        self.lifecycle.tracker().len()
    }

    /// Refuses new work from now on, as SIGTERM does; running answers have `SHUTDOWN_TIMEOUT`.
    pub fn drain(&self) {
        let (lifecycle, limit) = (self.lifecycle.clone(), self.shutdown_timeout);
        self.background.spawn(async move { lifecycle.drain(limit).await });
    }

    /// Stops in order.
    pub async fn stop(self) {
        self.lifecycle.drain(self.shutdown_timeout).await;
        self.lifecycle.stop_serving();
        self.serving.close();
        self.serving.wait().await;
        self.stop_background.cancel();
        self.engine.leave().await;
        drop(self.engine);
        self.database.close().await;
        // The writer ends with the last handle on it.
        drop(self.database);
        self.background.close();
        if tokio::time::timeout(BACKGROUND_WITHIN, self.background.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                tasks = self.background.len(),
                "background work did not end in time"
            );
        }
        self.stop_redis.cancel();
        self.redis_work.close();
        self.redis_work.wait().await;
        // Last of all, since whoever waits for it begins at once.
        drop((self.lock, self.instance));
        tracing::info!("stopped");
    }

    fn serve(&self, listener: TcpListener, router: axum::Router, settings: &Arc<Settings>) {
        let (settings, lifecycle) = (settings.clone(), self.lifecycle.clone());
        self.serving
            .spawn(async move { serve_connections(listener, router, &settings.load, &lifecycle).await });
    }
}

/// Forgets what is cached whenever another instance has died: it may have changed something and not said so.
async fn forget_at_deaths(mut silent: watch::Receiver<HashSet<InstanceId>>, cache: Cache) {
    while silent.changed().await.is_ok() {
        cache.invalidate_all();
    }
}

/// The secret that tokens are checked with, and the same again if it was made just now.
fn secret(settings: &Settings) -> Result<(SecretBytes, Option<SecretBytes>), SecretFileError> {
    if let Some(secret) = &settings.security.jwt_secret {
        return Ok((secret.clone(), None));
    }
    let made = DevelopmentSecret::load_or_create(&settings.app.data_dir)?;
    Ok((made.secret.clone(), made.created.then_some(made.secret)))
}

fn model(settings: &Settings, metrics: &Arc<Metrics>, clock: &Clock) -> Result<Arc<dyn Model>, ClientError> {
    if settings.models.is_demo() {
        return Ok(Arc::new(DemoModel::new(clock.clone())));
    }
    let client = LiteLlmClient::new(&settings.models, &settings.load, metrics.clone(), clock.clone())?;
    Ok(Arc::new(client))
}

/// The client of Redis, if there is to be one.
fn redis(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Option<Redis>, RedisUrlError> {
    let enabled = settings.cache.redis_enabled;
    enabled
        .then(|| Redis::new(&settings.cache, metrics.clone()))
        .transpose()
}

async fn listen(host: &str, port: u16) -> Result<TcpListener, StartError> {
    let failed = |source| StartError::Listen {
        address: format!("{host}:{port}"),
        source,
    };
    let addresses: Vec<_> = lookup_host((host, port)).await.map_err(failed)?.collect();
    TcpListener::bind(addresses.as_slice()).await.map_err(failed)
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen {
        address: "a bound socket".to_owned(),
        source,
    })
}
