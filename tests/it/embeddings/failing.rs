//! Models that fail: the same codes as in chat, in OpenAI's statuses.

use serde_json::json;

use super::{embed, request};
use crate::support::upstream::refusing_url;
use crate::support::{MODEL, Reply, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_says_is_mapped() {
    let server = TestServer::with([("LITELLM_MAX_RETRIES", "0")]).await;
    let user = server.user();
    let failures = [
        (
            Reply::error(400, "invalid_request_error", "bad"),
            400,
            "UPSTREAM_REJECTED",
        ),
        (
            Reply::error(400, "invalid_request_error", "context_length_exceeded"),
            400,
            "CONTEXT_LENGTH_EXCEEDED",
        ),
        (Reply::error(401, "auth_error", "no"), 502, "UPSTREAM_AUTH_FAILED"),
        (
            Reply::error(404, "not_found", "The model does not exist"),
            404,
            "MODEL_NOT_FOUND",
        ),
        (
            Reply::error(429, "rate_limit", "slow"),
            429,
            "UPSTREAM_RATE_LIMITED",
        ),
        (Reply::error(500, "server_error", "oh"), 502, "UPSTREAM_ERROR"),
        (Reply::raw(200, "application/json", ""), 502, "UPSTREAM_ERROR"),
        (
            Reply::raw(200, "application/json", "<html>"),
            502,
            "UPSTREAM_ERROR",
        ),
        (
            Reply::json(200, &json!({"error": {"message": "boom"}})),
            502,
            "UPSTREAM_ERROR",
        ),
        (
            Reply::head(200, "application/json").bytes("{\"obj").cut(),
            502,
            "UPSTREAM_ERROR",
        ),
        (Reply::default().reset(), 502, "UPSTREAM_ERROR"),
    ];
    for (reply, status, code) in failures {
        server.upstream.script(MODEL, [reply.clone()]);
        let answer = embed(&user, &request()).await;
        assert_eq!(answer.status, status, "{reply:?}: {answer:?}");
        answer.error(status, code);
    }
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(metrics.contains(r#"status="failed"} 11"#), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_unavailable() {
    let server = TestServer::with([("LITELLM_URL", &*refusing_url()), ("LITELLM_MAX_RETRIES", "0")]).await;
    embed(&server.user(), &request())
        .await
        .error(503, "UPSTREAM_UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_model_is_given_up_after_the_limit() {
    let server = TestServer::with([("STREAM_TIMEOUT", "0.2")]).await;
    server.upstream.script(MODEL, [Reply::silent()]);
    let error = embed(&server.user(), &request())
        .await
        .error(504, "UPSTREAM_TIMEOUT");
    assert_eq!(error["details"]["stage"], "total");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_answers_in_its_place() {
    let fallbacks = format!("{MODEL}=other");
    let server = TestServer::with([("FALLBACK_MODELS", &*fallbacks), ("LITELLM_MAX_RETRIES", "0")]).await;
    server
        .upstream
        .script(MODEL, [Reply::error(500, "server_error", "oh")]);
    assert_eq!(embed(&server.user(), &request()).await.status, 200);
    let entries = server.ledger().await.entries().await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (&*entry.model, &*entry.status))
        .collect();
    assert_eq!(told, [(MODEL, "retried"), ("other", "completed")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_is_read_is_an_error_and_not_asked_for_again() {
    let server = TestServer::start().await;
    let piece = " ".repeat(8 * 1024 * 1024);
    let reply = (0..9).fold(Reply::head(200, "application/json"), |reply, _| {
        reply.bytes(piece.clone())
    });
    server.upstream.script(MODEL, [reply]);
    let error = embed(&server.user(), &request())
        .await
        .error(502, "UPSTREAM_ERROR");
    assert_eq!(
        error["message"],
        "The model server sent more than can be handled."
    );
    assert_eq!(server.upstream.embeddings().len(), 1);
}
