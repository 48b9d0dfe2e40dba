//! What the routes that ask a model have in common: how they are asked, and how they answer.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};

use super::event_stream;
use crate::config::OnDisconnect;
use crate::extract::RequestContext;
use crate::middleware::UpstreamTime;
use crate::services::chat::{ChatAnswer, ChatContext};
use crate::utils::errors::ApiError;

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
    })
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
    let (mut response, waited) = match answer {
        ChatAnswer::Stream(reader) => {
            let waited = reader.waited();
            (event_stream::live(reader, keep_alive), waited)
        }
        ChatAnswer::Whole { body, waited } => {
            let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
            ((json, body).into_response(), waited)
        }
    };
    if let Some(waited) = waited {
        response.extensions_mut().insert(UpstreamTime(waited));
    }
    response
}
