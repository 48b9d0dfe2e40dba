//! A bound on requests in flight. Past it the answer is an error at once, never a queue without end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::utils::errors::{ApiError, ErrorCode};

use super::route_class;

/// How many requests may be in flight. A stream counts until its end.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit(Arc<Semaphore>);

impl ConcurrencyLimit {
    /// A limit of so many requests.
    #[must_use]
    pub fn new(requests: usize) -> Self {
        Self(Arc::new(Semaphore::new(requests.min(Semaphore::MAX_PERMITS))))
    }
}

/// Lets the request through if there is room; the room is free again when the response's body is dropped.
pub async fn limit(State(limit): State<ConcurrencyLimit>, request: Request, next: Next) -> Response {
    if route_class::is_one_of(route_class::OPEN, &request) {
        return next.run(request).await;
    }
    let Ok(permit) = limit.0.try_acquire_owned() else {
        return ApiError::new(
            ErrorCode::Overloaded,
            "Too many requests are being served. Try again shortly.",
        )
        .into_response();
    };
    let response = next.run(request).await;
    response.map(|inner| {
        Body::new(PermittedBody {
            inner,
            _permit: permit,
        })
    })
}

/// A body that holds its request's place until it is dropped: at its end, on an error, when the client leaves.
struct PermittedBody {
    inner: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for PermittedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
