//! The whole router, driven without a socket.

mod access;
mod browsers;
mod failures;
mod features;
mod operations;

use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;

use super::*;
use crate::config::Settings;
use crate::extract::RawJson;
use crate::middleware::access::require;
use crate::middleware::ids::RequestId;
use crate::services::auth::{Access, Caller};
use crate::testing::{self, Answer, bearer, request, request_with, send};

/// A router with some routes as the real ones are, around them all that is around the real ones.
struct App {
    state: AppState,
    router: Router,
}

impl App {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = testing::settings();
        change(&mut settings);
        let state = testing::state(settings, Vec::new()).await;
        let more = Router::new()
            .route(
                "/v1/who",
                get(|caller: Caller| async move { caller.user_id.to_string() }),
            )
            .route("/v1/echo", post(|RawJson(body): RawJson| async move { body }))
            .route(
                "/v1/request-id",
                get(|id: RequestId| async move { id.to_string() }),
            )
            .route("/v1/panic", get(panicking))
            .route("/v1/slow", get(std::future::pending::<()>))
            .route("/v1/endless", get(endless))
            .route_layer(from_fn_with_state(Access::SignedIn, require));
        let routes = Router::from(api()).merge(more);
        Self {
            router: with_middleware(routes, state.clone()),
            state,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[]).await
    }

    async fn get_signed_in(&self, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", &bearer())]).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.router, request_with(method, path, headers, Body::empty())).await
    }

    fn in_flight(&self) -> i64 {
        self.state.services().metrics.http_requests_in_flight.get()
    }

    fn metrics(&self) -> String {
        self.state.services().metrics.render().expect("metrics")
    }
}

async fn panicking() {
    panic!("as the test wants")
}

async fn endless() -> Body {
    Body::from_stream(stream::repeat_with(|| {
        Ok::<_, std::io::Error>(Bytes::from_static(b"more"))
    }))
}
