//! One instance: how often a user may come, and how everybody is told.

use reqwest::Method;
use serde_json::json;

use super::{ROUTE, SLOW, standing};
use crate::support::{Answer, MODEL, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_told_what_is_left_and_then_to_wait() {
    let server = TestServer::with(SLOW).await;
    let user = server.user();
    for expected in [["3", "2", "60"], ["3", "1", "120"], ["3", "0", "180"]] {
        let answer = user.get(ROUTE).await;
        assert_eq!(answer.status, 200);
        assert_eq!(standing(&answer), expected);
    }
    let refused = user.get(ROUTE).await;
    assert_eq!(
        refused.error(429, "RATE_LIMIT_EXCEEDED")["type"],
        "rate_limit_error"
    );
    assert_eq!(standing(&refused), ["3", "0", "180"]);
    let wait: u64 = refused.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(
        server.user().get(ROUTE).await.status,
        200,
        "others are not concerned"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keys_send_counts_as_their_users() {
    let server = TestServer::with(SLOW).await;
    let user = server.user();
    let body = json!({"name": "a key", "scopes": ["conversations:read"]});
    let made = user.post("/v1/users/me/api-keys", &body).await.data(201);
    let key = user.with_token(made["key"].as_str().expect("a key"));
    assert_eq!(standing(&key.get(ROUTE).await), ["3", "1", "120"]);
    assert_eq!(standing(&user.get(ROUTE).await), ["3", "0", "180"]);
    let refused = key.get(ROUTE).await;
    refused.error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(standing(&refused), ["3", "0", "180"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_a_caller_tells() {
    let server = TestServer::with(SLOW).await;
    let user = server.user();
    let stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    assert_eq!(stream.headers["x-ratelimit-remaining"], "2");
    stream.finish().await;
    let malformed = user.post_raw(ROUTE, "{").await;
    malformed.error(400, "MALFORMED_JSON");
    assert_eq!(standing(&malformed), ["3", "1", "120"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_does_nothing() {
    let server = TestServer::with(SLOW).await;
    let user = server.user();
    for _ in 0..3 {
        user.get(ROUTE).await;
    }
    let body = json!({"model": MODEL, "message": "Hi"});
    user.chat(&body).await.error(429, "RATE_LIMIT_EXCEEDED");
    assert!(server.upstream.chats().is_empty());
    assert_eq!(server.database().await.count("messages").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instance_has_a_limit_of_its_own() {
    let server = TestServer::with([
        ("RATE_LIMIT_ENABLED", "true"),
        ("RATE_LIMIT_PER_MINUTE", "1"),
        ("RATE_LIMIT_BURST", "2"),
    ])
    .await;
    for _ in 0..2 {
        assert_eq!(server.user().get(ROUTE).await.status, 200);
    }
    let refused = server.user().get(ROUTE).await;
    refused.error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(
        standing(&refused),
        ["10", "9", "1"],
        "the headers are about the user"
    );
    let wait: u64 = refused.header("retry-after").parse().expect("whole seconds");
    assert!((2..=60).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_caller_is_exempt() {
    let server = TestServer::with([
        ("RATE_LIMIT_ENABLED", "true"),
        ("RATE_LIMIT_PER_MINUTE", "1"),
        ("RATE_LIMIT_BURST", "1"),
    ])
    .await;
    let user = server.user();
    user.get(ROUTE).await;
    user.get(ROUTE).await.error(429, "RATE_LIMIT_EXCEEDED");
    for path in ["/live", "/ready", "/health", "/metrics", "/info", "/openapi.json"] {
        let answer = user.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(standing(&answer), [""; 3], "{path}");
    }
    server
        .anonymous()
        .get(ROUTE)
        .await
        .error(401, "MISSING_AUTH_HEADER");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted() {
    let server = TestServer::with(SLOW).await;
    let user = server.user();
    for _ in 0..4 {
        user.get(ROUTE).await;
    }
    let metrics = user.get("/metrics").await.text();
    for sample in [
        r#"rate_limit_decisions_total{decision="allowed",scope="user"} 3"#,
        r#"rate_limit_decisions_total{decision="denied",scope="user"} 1"#,
        r#"http_rejections_total{reason="rate_limit"} 1"#,
    ] {
        assert!(metrics.contains(sample), "{sample}: {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_nothing_is_limited_or_told() {
    let server = TestServer::start().await;
    let user = server.user();
    for _ in 0..20 {
        let answer = user.get(ROUTE).await;
        assert_eq!(answer.status, 200);
        assert_eq!(standing(&answer), [""; 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_other_origins_may_read_the_headers() {
    let server = TestServer::with(SLOW).await;
    let request = server.user().request(Method::GET, ROUTE);
    let answer = Answer::to(request.header("origin", "http://localhost:3000")).await;
    let exposed = answer.header("access-control-expose-headers");
    for name in [
        "retry-after",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ] {
        assert!(exposed.contains(name), "{name}: {exposed}");
    }
}
