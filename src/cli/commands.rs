//! What the commands do.

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use uuid::Uuid;

use super::{banner, complain, say};
use crate::app;
use crate::config::{Environment, Settings};
use crate::models::ids::UserId;
use crate::serve;
use crate::services::auth::{DevelopmentSecret, DevelopmentToken};
use crate::services::sql::OpenDatabase;
use crate::utils::clock::Clock;
use crate::utils::logging;

/// Whom tokens are for unless somebody else is named.
pub(super) const DEVELOPMENT_USER: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001);

/// How long the token that the first start prints is valid.
const FIRST_TOKEN_TTL: Duration = Duration::from_secs(30 * 86_400);

/// How long a health check may take.
const HEALTHCHECK_WITHIN: Duration = Duration::from_secs(4);

/// Exit statuses of a process that a signal ended: 128 and the signal's number.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

pub(super) fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    complain(&format!("error: {error}"));
    ExitCode::FAILURE
}

/// Serves until a signal says otherwise.
pub(super) async fn serve(settings: Settings) -> ExitCode {
    let log = match logging::init(&settings.monitoring, &settings.app) {
        Ok(log) => log,
        Err(error) => return failed(&error),
    };
    let status = run_server(settings).await;
    drop(log);
    status
}

async fn run_server(settings: Settings) -> ExitCode {
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    let unused = settings.not_yet_effective();
    if !unused.is_empty() {
        tracing::warn!(
            settings = unused.join(", "),
            "these settings are given but this release does not use them yet"
        );
    }
    let (mut interrupt, mut terminate) =
        match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
            (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
            (Err(error), _) | (_, Err(error)) => return failed(&error),
        };
    let server = tokio::select! {
        started = serve::start(settings.clone()) => match started {
            Ok(server) => server,
            Err(error) => {
                tracing::error!(%error, "the service cannot start");
                return failed(&error);
            }
        },
        // Nothing has been accepted yet, so there is nothing to finish.
        status = next_signal(&mut interrupt, &mut terminate) => return ExitCode::from(status),
    };
    announce(&settings, &server);
    next_signal(&mut interrupt, &mut terminate).await;
    tracing::info!("stopping: finishing what runs; a second signal ends it at once");
    tokio::select! {
        () = server.stop() => ExitCode::SUCCESS,
        status = next_signal(&mut interrupt, &mut terminate) => {
            tracing::warn!("ended at once by a second signal");
            ExitCode::from(status)
        }
    }
}

async fn next_signal(interrupt: &mut Signal, terminate: &mut Signal) -> u8 {
    tokio::select! {
        _ = interrupt.recv() => INTERRUPTED,
        _ = terminate.recv() => TERMINATED,
    }
}

fn announce(settings: &Settings, server: &serve::RunningServer) {
    let url = banner::base_url(server.addr());
    let models = match settings.models.backend() {
        "demo" => "demo (development only)",
        backend => backend,
    };
    tracing::info!(address = %server.addr(), database = server.database_name(), cache = "memory", models, "ready at {url}");
    if let Some(metrics) = server.metrics_addr() {
        tracing::info!(address = %metrics, "metrics are on a port of their own");
    }
    if settings.features.docs {
        tracing::info!("documentation at {url}/docs");
    }
    let Some(secret) = server.new_secret() else { return };
    match development_token(settings, UserId(DEVELOPMENT_USER), None, FIRST_TOKEN_TTL).sign(
        secret,
        settings.security.jwt_algorithms[0],
        &Clock::system(),
    ) {
        Ok(token) => say(&banner::first_start(settings, server.addr(), &token)),
        Err(error) => tracing::warn!(%error, "no development token could be made"),
    }
}

fn development_token<'a>(
    settings: &'a Settings,
    user: UserId,
    email: Option<&'a str>,
    ttl: Duration,
) -> DevelopmentToken<'a> {
    DevelopmentToken {
        user,
        email,
        ttl,
        audience: &settings.security.jwt_audience,
        issuer: settings.security.jwt_issuer.as_deref(),
    }
}

/// Prints a development token.
pub(super) fn token(settings: &Settings, user: Uuid, email: Option<&str>, ttl: Duration) -> ExitCode {
    if settings.app.environment == Environment::Production {
        return failed(&"with ENVIRONMENT=production, tokens come from Supabase");
    }
    let secret = match &settings.security.jwt_secret {
        Some(secret) => secret.clone(),
        None => match DevelopmentSecret::load_or_create(&settings.app.data_dir) {
            Ok(made) => made.secret,
            Err(error) => return failed(&error),
        },
    };
    let token = development_token(settings, UserId(user), email, ttl);
    match token.sign(&secret, settings.security.jwt_algorithms[0], &Clock::system()) {
        Ok(token) => {
            say(&token);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// Brings the schema up to date.
pub(super) async fn migrate(settings: &Settings) -> ExitCode {
    match OpenDatabase::migrate(&settings.database).await {
        Ok(name) => {
            say(&format!("{name} is up to date"));
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// Prints the OpenAPI document.
pub(super) fn openapi() -> ExitCode {
    match app::openapi().to_pretty_json() {
        Ok(document) => {
            say(&document);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// Asks `/ready` of the server on this machine.
pub(super) async fn healthcheck(settings: &Settings) -> ExitCode {
    let host = match settings.app.host.as_str() {
        "0.0.0.0" | "::" => "localhost".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let url = format!("http://{host}:{}/ready", settings.app.port);
    let client = match reqwest::Client::builder()
        .timeout(HEALTHCHECK_WITHIN)
        .no_proxy()
        .build()
    {
        Ok(client) => client,
        Err(error) => return failed(&error),
    };
    match client.get(&url).send().await {
        Ok(answer) if answer.status().is_success() => ExitCode::SUCCESS,
        Ok(answer) => failed(&format!("{url} answered {}", answer.status())),
        Err(error) => failed(&error),
    }
}
