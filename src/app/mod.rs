//! The router: every route and every middleware, in one place.
//!
//! **Adding routes**: a `routers` file with a `routes()`, merged in `api()`. They then appear in the OpenAPI
//! document and need a caller, of whom each says what it asks ([`access`](crate::routers::access)); a route that needs none
//! is named in [`OPEN`](crate::middleware::route_class::OPEN).

mod openapi;

use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::middleware::concurrency::ConcurrencyLimit;
use crate::middleware::time_limit::TimeLimit;
use crate::middleware::{
    authentication, concurrency, cors, error_body, panics, rate_limit, request_context, security_headers,
    time_limit,
};
use crate::routers::{
    analytics, api_keys, balance, branches, chat, conversations, docs, embeddings, health, messages, models,
    privacy, users,
};
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorCode};

/// The routes of the API, with their description.
fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::preamble())
        .merge(chat::routes())
        .merge(embeddings::routes())
        .merge(conversations::routes())
        .merge(branches::routes())
        .merge(messages::routes())
        .merge(models::routes())
        .merge(users::routes())
        .merge(analytics::routes())
        .merge(api_keys::routes())
        .merge(balance::routes())
        .merge(privacy::routes())
        .merge(health::routes())
}

/// The OpenAPI document of every route.
#[must_use]
pub fn openapi() -> OpenApi {
    openapi::complete(api().merge(docs::routes()).into_openapi())
}

/// The service: what the main port serves.
///
/// # Errors
/// If the OpenAPI document cannot be written as JSON.
pub fn router(state: AppState) -> Result<Router, serde_json::Error> {
    let mut routes = Router::from(api());
    if state.services().settings.features.docs {
        let documentation = docs::Documentation::new(&openapi())?;
        routes = routes.merge(Router::from(docs::routes()).layer(Extension(documentation)));
    } else {
        routes = routes.merge(docs::disabled_routes());
    }
    Ok(with_middleware(routes, state))
}

/// What `METRICS_PORT` serves.
pub fn metrics_router(state: AppState) -> Router {
    with_middleware(health::metrics_routes(), state)
}

/// Puts the middleware around the routes.
///
/// A request passes from the bottom of this list to its top, a response from the top to the bottom. The id and
/// the report are outermost, so that nothing goes unreported. Errors get their bodies outside of everything
/// that can refuse a request, and inside of the security headers, which look at what kind of body it is. CORS is
/// outside of every refusal, so that a browser's script can read a 401 or a 503. Authentication, and within it the
/// rate limits, which are the caller's, are around the routes rather than the router: a path that does not exist is a
/// 404 for everyone. What a route asks of its callers is innermost, around its handler alone.
fn with_middleware(mut routes: Router<AppState>, state: AppState) -> Router {
    let settings = &state.services().settings;
    let concurrency = ConcurrencyLimit::new(settings.load.max_concurrent_requests);
    let time_limit = TimeLimit(settings.load.request_timeout);
    let cors = cors::layer(&settings.security);
    routes = routes.method_not_allowed_fallback(method_not_allowed);
    if let Some(limits) = &state.services().request_limits {
        routes = routes.route_layer(from_fn_with_state(limits.clone(), rate_limit::enforce));
    }
    routes
        .route_layer(from_fn_with_state(state.clone(), authentication::require_caller))
        .fallback(not_found)
        .layer(from_fn_with_state(time_limit, time_limit::enforce))
        .layer(from_fn_with_state(concurrency, concurrency::limit))
        .layer(panics::layer())
        .layer(cors)
        .layer(from_fn_with_state(state.clone(), error_body::render))
        .layer(from_fn_with_state(state.clone(), security_headers::add))
        .layer(from_fn_with_state(state.clone(), request_context::follow))
        .with_state(state)
}

async fn not_found() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "There is no such path.")
}

/// The router adds `Allow`.
async fn method_not_allowed() -> ApiError {
    ApiError::new(ErrorCode::MethodNotAllowed, "The path does not have this method.")
}

#[cfg(test)]
mod tests;
