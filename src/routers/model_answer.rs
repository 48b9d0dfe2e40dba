//! What the routes that ask a model have in common: how they are asked, and how they answer.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::event_stream;
use crate::config::OnDisconnect;
use crate::extract::RequestContext;
use crate::middleware::UpstreamTime;
use crate::services::chat::{ChatAnswer, ChatContext};
use crate::services::conversations::IdempotencyKey;
use crate::utils::errors::ApiError;

/// The longest `Idempotency-Key`.
const MAX_KEY_CHARS: usize = 255;

/// What a request says beside its body.
///
/// # Errors
/// A 422 if `X-On-Disconnect` is neither of its values.
pub(super) fn chat_context(about: RequestContext, headers: &HeaderMap) -> Result<ChatContext, ApiError> {
    Ok(ChatContext {
        request_id: about.id.0,
        traceparent: Some(about.trace.traceparent),
        received: about.arrived.0,
        on_disconnect: on_disconnect(headers)?,
        idempotency_key: None,
    })
}

/// What a request with this body is marked with by its `Idempotency-Key`, if it has one.
///
/// # Errors
/// A 422 if that is empty, too long or not plain text.
pub(super) fn idempotency_key(headers: &HeaderMap, body: &[u8]) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY_CHARS).contains(&key.len()))
        .ok_or_else(|| {
            let problem = format!("must be 1 to {MAX_KEY_CHARS} ASCII characters");
            ApiError::invalid_field("Idempotency-Key", problem)
        })?;
    let mut request_hash = [0; 32];
    request_hash.copy_from_slice(digest(&SHA256, body).as_ref());
    Ok(Some(IdempotencyKey {
        key: Arc::from(key),
        request_hash,
    }))
}

fn on_disconnect(headers: &HeaderMap) -> Result<Option<OnDisconnect>, ApiError> {
    match headers.get("x-on-disconnect").map(HeaderValue::as_bytes) {
        None => Ok(None),
        Some(b"continue") => Ok(Some(OnDisconnect::Continue)),
        Some(b"cancel") => Ok(Some(OnDisconnect::Cancel)),
        Some(_) => Err(ApiError::invalid_field(
            "X-On-Disconnect",
            "must be `continue` or `cancel`",
        )),
    }
}

/// The answer of a model: as a stream, which is kept open by comments while it is silent, or whole.
pub(super) fn respond(answer: ChatAnswer, keep_alive: Duration) -> Response {
    match answer {
        ChatAnswer::Stream(reader) => {
            let waited = reader.waited();
            after_waiting(event_stream::live(reader, keep_alive), waited)
        }
        ChatAnswer::Whole { body, waited } => whole(body, waited),
    }
}

/// The JSON of a whole answer.
pub(super) fn whole(body: Bytes, waited: Option<Duration>) -> Response {
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    after_waiting((json, body).into_response(), waited)
}

/// Notes for how long of the request's time the model was waited for.
fn after_waiting(mut response: Response, waited: Option<Duration>) -> Response {
    if let Some(waited) = waited {
        response.extensions_mut().insert(UpstreamTime(waited));
    }
    response
}
