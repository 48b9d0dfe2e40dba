//! What operators and their tools ask: no credentials needed, and no limits applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use secrecy::ExposeSecret;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Settings;
use crate::extract::Json;
use crate::models::health::{Health, HealthStatus, Index, Info, Live, Ready, ReadyStatus};
use crate::services::auth::{AuthError, bearer_token};
use crate::services::health::{HealthService, info};
use crate::services::lifecycle::{Lifecycle, Phase};
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorBody, ErrorCode};
use crate::utils::metrics::Metrics;

/// Prometheus' text format.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes of the main port.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(show_index))
        .routes(routes!(show_health))
        .routes(routes!(show_readiness))
        .routes(routes!(show_liveness))
        .routes(routes!(scrape_metrics))
        .routes(routes!(show_info))
}

/// The one route of `METRICS_PORT`.
pub fn metrics_routes() -> Router<AppState> {
    Router::new().route("/metrics", get(scrape_metrics_apart))
}

/// Where everything is
///
/// A browser is sent to the documentation.
#[utoipa::path(
    get, path = "/", tag = "operations",
    responses(
        (status = 200, description = "The index", body = Index),
        (status = 303, description = "To the documentation, for `Accept: text/html`"),
    )
)]
async fn show_index(State(settings): State<Arc<Settings>>, headers: HeaderMap) -> Response {
    let vary = [(header::VARY, "accept")];
    if settings.features.docs && prefers_html(&headers) {
        return (vary, Redirect::to("/docs/")).into_response();
    }
    (vary, Json(index(&settings))).into_response()
}

fn prefers_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn index(settings: &Settings) -> Index {
    let mut links = BTreeMap::from([
        ("health", "/health"),
        ("info", "/info"),
        ("live", "/live"),
        ("ready", "/ready"),
    ]);
    if settings.features.docs {
        links.extend([("docs", "/docs"), ("openapi", "/openapi.json")]);
    }
    Index {
        service: settings.app.name.clone(),
        version: settings.app.version.clone(),
        links,
    }
}

/// Whether everything works
///
/// The checks run side by side and are kept for `HEALTH_CHECK_INTERVAL` seconds.
#[utoipa::path(
    get, path = "/health", tag = "operations",
    responses(
        (status = 200, description = "Chat works: `healthy`, or `degraded` if something else does not", body = Health),
        (status = 503, description = "Chat cannot work: `unhealthy`", body = Health),
    )
)]
async fn show_health(State(health): State<Arc<HealthService>>) -> (StatusCode, Json<Health>) {
    let report = health.report().await;
    let status = match report.status {
        HealthStatus::Healthy | HealthStatus::Degraded => StatusCode::OK,
        HealthStatus::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(report))
}

/// Whether to send requests here
#[utoipa::path(
    get, path = "/ready", tag = "operations",
    responses(
        (status = 200, description = "Yes", body = Ready),
        (status = 503, description = "No: starting, draining, or the store does not answer", body = Ready),
    )
)]
async fn show_readiness(
    State(lifecycle): State<Lifecycle>,
    State(health): State<Arc<HealthService>>,
) -> (StatusCode, Json<Ready>) {
    let status = match lifecycle.phase() {
        Phase::Starting => ReadyStatus::Starting,
        Phase::Draining => ReadyStatus::Draining,
        Phase::Ready if health.is_ready().await => ReadyStatus::Ready,
        Phase::Ready => ReadyStatus::StoreUnavailable,
    };
    let code = match status {
        ReadyStatus::Ready => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Json(Ready { status }))
}

/// Whether the process turns its event loop
#[utoipa::path(
    get, path = "/live", tag = "operations",
    responses((status = 200, description = "It does; nothing else was looked at", body = Live))
)]
async fn show_liveness() -> Json<Live> {
    Json(Live { status: "alive" })
}

/// What is running here
#[utoipa::path(
    get, path = "/info", tag = "operations",
    responses((status = 200, description = "Version, features, limits and backends", body = Info))
)]
async fn show_info(State(settings): State<Arc<Settings>>) -> Json<Info> {
    Json(info(&settings))
}

/// Metrics for Prometheus
///
/// Asks for the bearer `METRICS_TOKEN` where one is set. Absent with `ENABLE_METRICS=false`, and on this port
/// where `METRICS_PORT` is set.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (status = 200, description = "Exposition format 0.0.4", body = String, content_type = "text/plain"),
        (status = 401, description = "`METRICS_TOKEN` is set and was not sent", body = ErrorBody),
        (status = 404, description = "Not served here", body = ErrorBody),
    )
)]
async fn scrape_metrics(
    State(settings): State<Arc<Settings>>,
    State(metrics): State<Arc<Metrics>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if settings.monitoring.metrics_port.is_some() {
        return Err(not_served());
    }
    render_metrics(&settings, &metrics, &headers)
}

async fn scrape_metrics_apart(
    State(settings): State<Arc<Settings>>,
    State(metrics): State<Arc<Metrics>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    render_metrics(&settings, &metrics, &headers)
}

fn render_metrics(settings: &Settings, metrics: &Metrics, headers: &HeaderMap) -> Result<Response, ApiError> {
    if !settings.monitoring.metrics {
        return Err(not_served());
    }
    if let Some(expected) = &settings.security.metrics_token {
        let given = bearer_token(headers)?;
        aws_lc_rs::constant_time::verify_slices_are_equal(
            given.as_bytes(),
            expected.expose_secret().as_bytes(),
        )
        .map_err(|_| AuthError::InvalidToken)?;
    }
    let text = metrics.render().map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response())
}

fn not_served() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "There is nothing here.")
}
