//! What a request gets that cannot be served, and what is counted.

use std::time::Duration;

use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

#[tokio::test]
async fn unknown_paths_and_methods_get_the_envelope() {
    let app = App::new().await;
    let origin = [("origin", "http://localhost:3000"), ("x-request-id", "mine")];
    let unknown = app.send("GET", "/v1/nowhere", &origin).await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (StatusCode::NOT_FOUND, "NOT_FOUND")
    );
    assert_eq!(unknown.json()["success"], false);
    assert_eq!(unknown.json()["error"]["request_id"], "mine");
    assert_eq!(unknown.header("x-request-id"), "mine");
    assert_eq!(unknown.header("content-type"), "application/json");
    assert_eq!(unknown.header("cache-control"), "no-store");
    assert_eq!(
        unknown.header("access-control-allow-origin"),
        "http://localhost:3000"
    );

    let wrong = app.send("DELETE", "/health", &[]).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED")
    );
    assert_eq!(wrong.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn a_panic_is_an_ordinary_error() {
    let app = App::new().await;
    for _ in 0..2 {
        let answer = app.get_signed_in("/v1/panic").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
        );
        assert!(!answer.json().to_string().contains("as the test wants"));
        assert_eq!(answer.header("x-frame-options"), "DENY");
    }
    assert!(
        app.metrics()
            .contains(r#"errors_total{service="orchestrator",type="INTERNAL_ERROR"} 2"#)
    );
    assert_eq!(app.in_flight(), 0);
}

#[tokio::test]
async fn a_handler_that_hangs_is_given_up() {
    let app = App::with(|settings| settings.load.request_timeout = Duration::from_millis(20)).await;
    let answer = app.get_signed_in("/v1/slow").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::GATEWAY_TIMEOUT, "REQUEST_TIMEOUT")
    );
}

#[tokio::test]
async fn a_stream_holds_its_place_until_it_is_dropped() {
    let app = App::with(|settings| settings.load.max_concurrent_requests = 1).await;
    let headers = [("authorization", bearer())];
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let stream = app
        .router
        .clone()
        .oneshot(request_with("GET", "/v1/endless", &headers, Body::empty()));
    let mut stream = stream.await.expect("an answer").into_body();
    stream.frame().await.expect("a frame").expect("data");
    assert_eq!(app.in_flight(), 1);

    let refused = app
        .send("GET", "/v1/who", &[("origin", "http://localhost:3000")])
        .await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED")
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "http://localhost:3000"
    );
    assert_eq!(app.get("/health").await.status, StatusCode::OK);

    drop(stream);
    assert_eq!(app.in_flight(), 0);
    assert_eq!(app.get_signed_in("/v1/who").await.status, StatusCode::OK);
}

#[tokio::test]
async fn labels_are_templates_and_known_methods() {
    let app = App::new().await;
    app.get("/etc/passwd").await;
    app.send("BREW", "/health", &[]).await;
    app.get("/health").await;
    let metrics = app.metrics();
    for line in [
        r#"http_requests_total{endpoint="unmatched",method="GET",status="404"} 1"#,
        r#"http_requests_total{endpoint="/health",method="OTHER",status="405"} 1"#,
        r#"http_requests_total{endpoint="/health",method="GET",status="200"} 1"#,
        r#"http_request_duration_seconds_count{endpoint="/health",method="GET"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains("passwd"));
}
