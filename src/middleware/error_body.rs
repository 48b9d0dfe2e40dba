//! The one place where an [`ApiError`] becomes a body, is counted, and has its cause logged.

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, header};

use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::metrics::{Metrics, Rejection};

use super::ids::RequestId;

/// Most causes followed from an error down.
const MAX_CAUSES: usize = 8;

/// Gives each response that carries an [`ApiError`] its body.
pub async fn render(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    let Some(error) = response.extensions().get::<ApiError>().cloned() else {
        return response;
    };
    metrics.error(error.code());
    if let Some(reason) = rejection(error.code()) {
        metrics.rejection(reason);
    }
    log_cause(&error);
    with_body(response, &error, request_id.as_ref())
}

fn with_body(response: Response, error: &ApiError, request_id: Option<&RequestId>) -> Response {
    let body = error.body(request_id.map_or("", |id| &id.0));
    let json = serde_json::to_vec(&body).unwrap_or_default();
    let (mut head, _) = response.into_parts();
    head.headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(json))
}

/// The requests that were refused before any work was done.
const fn rejection(code: ErrorCode) -> Option<Rejection> {
    match code {
        ErrorCode::MissingAuthHeader
        | ErrorCode::InvalidAuthFormat
        | ErrorCode::InvalidToken
        | ErrorCode::TokenExpired
        | ErrorCode::InvalidClaims
        | ErrorCode::InvalidApiKey
        | ErrorCode::ApiKeyExpired
        | ErrorCode::ApiKeyRevoked => Some(Rejection::Auth),
        ErrorCode::InsufficientScope => Some(Rejection::Scope),
        ErrorCode::MalformedJson
        | ErrorCode::BadRequest
        | ErrorCode::UnsupportedMediaType
        | ErrorCode::ValidationError => Some(Rejection::Validation),
        ErrorCode::RateLimitExceeded => Some(Rejection::RateLimit),
        ErrorCode::Overloaded => Some(Rejection::Overload),
        ErrorCode::PayloadTooLarge => Some(Rejection::TooLarge),
        _ => None,
    }
}

/// What the caller did wrong is in the answer; what went wrong here is only in the log.
fn log_cause(error: &ApiError) {
    if error.status().is_server_error()
        && let Some(cause) = error.cause()
    {
        tracing::error!(
            code = error.code().as_str(),
            cause = chain(cause),
            "request failed"
        );
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    for _ in 0..MAX_CAUSES {
        let Some(cause) = next else { break };
        // Writing to a string cannot fail.
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}
