//! A running answer as a stream of server-sent events.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::models::ids::StreamId;
use crate::services::generation::{Next, Reader};
use crate::utils::errors::ApiError;
use crate::utils::sse::write_comment;

const X_STREAM_ID: HeaderName = HeaderName::from_static("x-stream-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Everything that the reader still has to read, and comments while there is nothing.
pub(super) fn live(reader: Reader, keep_alive: Duration) -> Response {
    let id = reader.id();
    let events = stream::unfold(reader, move |mut reader| async move {
        let bytes = match reader.next(keep_alive).await {
            Next::Events(bytes) => bytes,
            Next::Silence => comment(),
            Next::End => return None,
        };
        Some((Ok::<_, std::convert::Infallible>(bytes), reader))
    });
    response(id, Body::from_stream(events))
}

fn response(id: StreamId, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(X_STREAM_ID, id);
    }
    response
}

fn comment() -> Bytes {
    let mut bytes = BytesMut::new();
    write_comment(&mut bytes, "keep-alive");
    bytes.freeze()
}

/// The event after which a reader wants to go on: `?after`, else `Last-Event-ID`, else 0, the start.
///
/// # Errors
/// A 422 if it is no whole number.
pub(super) fn resume_point(after: Option<&str>, headers: &HeaderMap) -> Result<u64, ApiError> {
    let (field, text) = match (after, headers.get(LAST_EVENT_ID)) {
        (Some(after), _) => ("after", Some(after)),
        (None, Some(id)) => ("Last-Event-ID", id.to_str().ok()),
        (None, None) => return Ok(0),
    };
    text.and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| ApiError::invalid_field(field, "must be the id of an event: a whole number"))
}
