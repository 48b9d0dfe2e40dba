//! The few routes that are treated differently, by their templates.

use axum::extract::{MatchedPath, Request};

/// Routes that need no credentials and are exempt from the bound on requests in flight: health, documentation
/// and metrics. Everything else authenticates.
pub const OPEN: &[&str] = &[
    "/",
    "/health",
    "/ready",
    "/live",
    "/metrics",
    "/info",
    "/docs",
    "/docs/",
    "/docs/{*file}",
    "/openapi.json",
];

/// Routes whose head may wait long, for a model, for a large file, or for everything of a user to be erased: exempt from `REQUEST_TIMEOUT`, with limits of their
/// own. An export is not among them: its head comes at once, and no body is limited.
pub const MAY_WAIT_LONG: &[&str] = &[
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/chat/streams/{stream_id}",
    "/v1/conversations/{id}/stream",
    "/v1/conversations/{id}/messages/{message_id}/regenerate",
    "/v1/conversations/import",
    "/v1/users/me",
];

/// Routes that are asked every few seconds: their log line is a DEBUG one.
pub const QUIET: &[&str] = &["/health", "/ready", "/live", "/metrics"];

/// The template of the route that a request matched, e.g. `/v1/conversations/{id}`.
#[must_use]
pub fn template(request: &Request) -> Option<&str> {
    request.extensions().get::<MatchedPath>().map(MatchedPath::as_str)
}

/// Whether the request matched one of these routes.
#[must_use]
pub fn is_one_of(routes: &[&str], request: &Request) -> bool {
    template(request).is_some_and(|route| routes.contains(&route))
}
