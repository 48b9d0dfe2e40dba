//! Reads a JSON body within its bounds.

use std::time::Duration;

use axum::extract::{FromRef, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::utils::errors::{ApiError, ErrorCode};

/// How large a body may be, and how long its sender may take.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// `MAX_BODY_BYTES`.
    pub max_bytes: usize,
    /// `REQUEST_TIMEOUT`: also for routes that are otherwise exempt from it.
    pub read_within: Duration,
}

/// The whole body of a request that says it is JSON.
pub(super) async fn read_json_body<S>(request: Request, state: &S) -> Result<Bytes, ApiError>
where
    BodyLimits: FromRef<S>,
{
    let limits = BodyLimits::from_ref(state);
    require_json(request.headers())?;
    if declared_length(request.headers()).is_some_and(|length| length > limits.max_bytes as u64) {
        return Err(too_large(limits.max_bytes));
    }
    let reading = Limited::new(request.into_body(), limits.max_bytes).collect();
    match tokio::time::timeout(limits.read_within, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => Err(too_large(limits.max_bytes)),
        Ok(Err(_)) => Err(incomplete()),
        Err(_) => Err(too_slow()),
    }
}

/// Refuses a body that does not say it is JSON.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    if is_json(headers) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::UnsupportedMediaType,
        "Send the body as `Content-Type: application/json`.",
    ))
}

/// `application/json`, or any other type whose syntax is JSON (`application/problem+json`).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence
        .strip_prefix("application/")
        .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// How long the body is going to be, as its sender says.
pub(super) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(super) fn too_large(max_bytes: usize) -> ApiError {
    ApiError::new(
        ErrorCode::PayloadTooLarge,
        format!("The body may have at most {max_bytes} bytes."),
    )
    .with_detail("max_bytes", max_bytes)
}

pub(super) fn incomplete() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "The body ended before it was complete.")
}

pub(super) fn too_slow() -> ApiError {
    ApiError::new(
        ErrorCode::RequestTimeout,
        "The body took longer to arrive than it may.",
    )
}
