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

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io;

    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use futures_util::{FutureExt, Stream, stream};
    use http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::middleware::panics;

    /// A service with one place, and its limit.
    fn service() -> (Router, ConcurrencyLimit) {
        let one = ConcurrencyLimit::new(1);
        let router = Router::new()
            .route("/whole", get(|| async { "all of it" }))
            .route("/waiting", get(pending::<()>))
            .route("/endless", get(|| async { Body::from_stream(chunks()) }))
            .route("/broken", get(|| async { Body::from_stream(breaking_off()) }))
            .route("/panicking", get(panicking))
            .route(
                "/panicking-body",
                get(|| async { Body::from_stream(panicking_chunks()) }),
            )
            .layer(from_fn_with_state(one.clone(), limit))
            .layer(panics::layer());
        (router, one)
    }

    type Chunk = Result<&'static str, io::Error>;

    fn chunks() -> impl Stream<Item = Chunk> {
        stream::repeat_with(|| Ok("more"))
    }

    fn breaking_off() -> impl Stream<Item = Chunk> {
        stream::iter([Ok("one"), Err(io::Error::other("broken"))])
    }

    fn panicking_chunks() -> impl Stream<Item = Chunk> {
        stream::once(async { panic!("as the test wants") })
    }

    async fn panicking() {
        panic!("as the test wants")
    }

    async fn ask(router: &Router, path: &str) -> Response {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        router.clone().oneshot(request).await.expect("an answer")
    }

    fn free(limit: &ConcurrencyLimit) -> usize {
        limit.0.available_permits()
    }

    #[tokio::test]
    async fn a_place_is_taken_until_the_body_was_dropped() {
        let (router, limit) = service();
        let response = ask(&router, "/whole").await;
        assert_eq!(free(&limit), 0, "the body is still to be sent");
        response.into_body().collect().await.expect("a body");
        assert_eq!(free(&limit), 1);
    }

    #[tokio::test]
    async fn a_stream_keeps_its_place_until_its_client_leaves() {
        let (router, limit) = service();
        let mut body = ask(&router, "/endless").await.into_body();
        for _ in 0..3 {
            body.frame().await.expect("a frame").expect("data");
            assert_eq!(free(&limit), 0);
        }
        drop(body);
        assert_eq!(free(&limit), 1);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_gives_its_place_back() {
        let (router, limit) = service();
        let response = ask(&router, "/broken").await;
        assert!(response.into_body().collect().await.is_err());
        assert_eq!(free(&limit), 1);
    }

    #[tokio::test]
    async fn panics_give_their_place_back() {
        let (router, limit) = service();
        let response = ask(&router, "/panicking").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        drop(response);
        assert_eq!(free(&limit), 1);

        let body = ask(&router, "/panicking-body").await.into_body();
        let sending = tokio_util::task::TaskTracker::new().spawn(body.collect());
        assert!(sending.await.is_err_and(|ended| ended.is_panic()));
        assert_eq!(free(&limit), 1);
    }

    #[tokio::test]
    async fn whoever_finds_no_place_is_refused_at_once() {
        let (router, limit) = service();
        let mut waiting = Box::pin(ask(&router, "/waiting"));
        assert!(waiting.as_mut().now_or_never().is_none());
        for _ in 0..3 {
            let refused = ask(&router, "/whole").now_or_never().expect("no waiting");
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(refused.headers()["retry-after"], "1");
        }
        drop(waiting);
        assert_eq!(free(&limit), 1, "a client left before it was answered");
        assert_eq!(ask(&router, "/whole").await.status(), StatusCode::OK);
    }
}
