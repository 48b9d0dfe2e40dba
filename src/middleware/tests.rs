//! What a request leaves in the log.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::routing::get;
use axum::{Router, middleware::from_fn_with_state};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::{authentication, error_body, request_context};
use crate::testing::{self, bearer, request_with, send};
use crate::utils::errors::ApiError;

/// Keeps what is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn record() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt().json().with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).expect("text")
    }

    /// The lines with this message.
    fn lines(&self, message: &str) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).expect("json"))
            .filter(|line: &Value| line["fields"]["message"] == message)
            .collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

async fn router() -> Router {
    let state = testing::state(testing::settings(), Vec::new()).await;
    Router::new()
        .route("/v1/things/{id}", get(|| async { "a thing" }))
        .route("/v1/endless", get(endless))
        .route("/v1/fault", get(fault))
        .route("/health", get(|| async {}))
        .route_layer(from_fn_with_state(state.clone(), authentication::require_caller))
        .layer(from_fn_with_state(state.clone(), error_body::render))
        .layer(from_fn_with_state(state.clone(), request_context::follow))
        .with_state(state)
}

async fn endless() -> Body {
    Body::from_stream(stream::repeat_with(|| {
        Ok::<_, std::io::Error>(Bytes::from_static(b"more"))
    }))
}

async fn fault() -> ApiError {
    ApiError::internal(std::io::Error::other("the disk is full"))
}

fn signed_in(path: &str) -> axum::extract::Request {
    let bearer = bearer();
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-request-id", "r-1"),
        ("user-agent", "tests"),
    ];
    request_with("GET", path, &headers, Body::empty())
}

#[tokio::test]
async fn a_request_leaves_one_line_that_tells_all_but_secrets() {
    let (log, _guard) = Log::record();
    send(&router().await, signed_in("/v1/things/secret-id")).await;
    let lines = log.lines("request ended");
    let [line] = lines.as_slice() else {
        panic!("one line: {lines:?}")
    };
    assert_eq!(line["level"], "INFO");
    let fields = &line["fields"];
    assert_eq!(
        (&fields["status"], &fields["bytes_out"]),
        (&200.into(), &7.into())
    );
    assert_eq!(fields["user_agent"], "tests");
    assert!(fields["duration_ms"].is_u64() && fields.get("aborted").is_none());
    let span = &line["span"];
    assert_eq!(
        (&span["route"], &span["method"]),
        (&"/v1/things/{id}".into(), &"GET".into())
    );
    assert_eq!(
        (&span["request_id"], &span["user_id"]),
        (&"r-1".into(), &"00000000-0000-0000-0000-000000000007".into())
    );
    assert_eq!(span["trace_id"].as_str().map(str::len), Some(32));
    assert!(!log.text().contains("secret-id"));
}

#[tokio::test]
async fn a_client_that_left_is_told_from_one_that_stayed() {
    let (log, _guard) = Log::record();
    let response = router()
        .await
        .oneshot(signed_in("/v1/endless"))
        .await
        .expect("an answer");
    let mut body = response.into_body();
    body.frame().await.expect("a frame").expect("data");
    assert!(log.lines("request ended").is_empty(), "the body has not ended");
    drop(body);
    let lines = log.lines("request ended");
    assert_eq!(lines[0]["fields"]["aborted"], true);
    assert_eq!(lines[0]["fields"]["bytes_out"], 4);
}

#[tokio::test]
async fn a_fault_is_explained_in_the_log_alone() {
    let (log, _guard) = Log::record();
    let answer = send(&router().await, signed_in("/v1/fault")).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("disk"));
    let causes = log.lines("request failed");
    assert_eq!(causes.len(), 1);
    assert_eq!(causes[0]["fields"]["cause"], "the disk is full");
    let ended = &log.lines("request ended")[0];
    assert_eq!(
        (&ended["level"], &ended["fields"]["error_code"]),
        (&"ERROR".into(), &"INTERNAL_ERROR".into())
    );
}

#[tokio::test]
async fn a_refusal_is_a_security_event_without_the_token() {
    let (log, _guard) = Log::record();
    let headers = [("authorization", "Bearer very.secret.token")];
    send(
        &router().await,
        request_with("GET", "/v1/fault", &headers, Body::empty()),
    )
    .await;
    let events = log.lines("security_event");
    assert_eq!(events[0]["fields"]["event"], "authentication_failed");
    assert_eq!(events[0]["span"]["route"], "/v1/fault");
    assert!(!log.text().contains("secret"));
}

#[tokio::test]
async fn probes_are_not_worth_a_line() {
    let (log, _guard) = Log::record();
    send(
        &router().await,
        request_with("GET", "/health", &[], Body::empty()),
    )
    .await;
    assert_eq!(log.text(), "");
}
