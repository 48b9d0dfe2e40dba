//! What every response carries: request id, security headers, CORS.

use reqwest::Method;

use crate::support::{Answer, Client, TestServer};

const CHAT: &str = "/v1/chat/completions";
const ORIGIN: &str = "http://localhost:3000";

#[tokio::test(flavor = "multi_thread")]
async fn a_visible_request_id_is_echoed() {
    let server = TestServer::start().await;
    for id in ["a".to_owned(), "req-42/~!".to_owned(), "x".repeat(128)] {
        assert_eq!(request_id(&server.user(), &id).await, id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_request_id_is_replaced_by_a_uuid() {
    let server = TestServer::start().await;
    for id in [
        String::new(),
        "two words".to_owned(),
        "x".repeat(129),
        "naïve".to_owned(),
    ] {
        let given = request_id(&server.user(), &id).await;
        assert!(given.parse::<uuid::Uuid>().is_ok(), "{given} for {id}");
    }
    let answer = server.user().get("/live").await;
    assert!(answer.header("x-request-id").parse::<uuid::Uuid>().is_ok());
}

async fn request_id(client: &Client, id: &str) -> String {
    let request = client
        .request(Method::GET, "/v1/nothing-here")
        .header("x-request-id", id.as_bytes());
    let answer = Answer::to(request).await;
    let error = answer.error(404, "NOT_FOUND");
    error["request_id"].as_str().expect("a request id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_has_the_security_headers() {
    let server = TestServer::start().await;
    let user = server.user();
    for answer in [
        user.get("/live").await,
        user.get("/v1/conversations").await,
        user.get("/v1/nothing-here").await,
        server.anonymous().get("/v1/conversations").await,
        user.post_raw(CHAT, "{").await,
    ] {
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{answer:?}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{answer:?}");
        assert!(
            answer
                .header("content-security-policy")
                .contains("default-src 'none'"),
            "{answer:?}"
        );
        assert_eq!(
            answer.header("strict-transport-security"),
            "",
            "only in production"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_json_is_never_cached() {
    let server = TestServer::start().await;
    for path in ["/v1/conversations", "/v1/nothing-here"] {
        assert_eq!(
            server.user().get(path).await.header("cache-control"),
            "no-store",
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn production_asks_for_https() {
    let server = TestServer::with([
        ("ENVIRONMENT", "production"),
        ("CORS_ORIGINS", "https://chat.example.com"),
    ])
    .await;
    let answer = server.user().get("/v1/conversations").await;
    assert!(
        answer.header("strict-transport-security").contains("max-age="),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_origin_may_ask_in_advance() {
    let server = TestServer::start().await;
    let request = server
        .anonymous()
        .request(Method::OPTIONS, CHAT)
        .header("origin", ORIGIN)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,last-event-id",
        );
    let answer = Answer::to(request).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert!(
        answer.header("access-control-allow-methods").contains("POST"),
        "{answer:?}"
    );
    let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
    for name in [
        "authorization",
        "content-type",
        "x-api-key",
        "idempotency-key",
        "last-event-id",
        "x-on-disconnect",
        "x-request-id",
        "traceparent",
    ] {
        assert!(allowed.contains(name), "{name} in {allowed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_can_be_read_across_origins_too() {
    let server = TestServer::start().await;
    let request = server
        .anonymous()
        .request(Method::GET, "/v1/conversations")
        .header("origin", ORIGIN);
    let answer = Answer::to(request).await;
    answer.error(401, "MISSING_AUTH_HEADER");
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
    let exposed = answer
        .header("access-control-expose-headers")
        .to_ascii_lowercase();
    for name in [
        "x-request-id",
        "x-stream-id",
        "retry-after",
        "location",
        "content-disposition",
    ] {
        assert!(exposed.contains(name), "{name} in {exposed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_origin_is_not_let_in() {
    let server = TestServer::start().await;
    let request = server.user().request(Method::GET, "/v1/conversations");
    let answer = Answer::to(request.header("origin", "https://evil.example.com")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_never_combined_with_every_origin() {
    let server = TestServer::with([("CORS_ORIGINS", "*"), ("CORS_CREDENTIALS", "true")]).await;
    let request = server
        .user()
        .request(Method::GET, "/v1/conversations")
        .header("origin", ORIGIN);
    let answer = Answer::to(request).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}
