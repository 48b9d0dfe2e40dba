//! Failures before the first byte.

use serde_json::json;

use super::{ask, ask_in};
use crate::support::upstream::refusing_url;
use crate::support::{Answer, MODEL, Reply, TestServer};

/// A fault of the model server and what becomes of it.
struct Fault {
    reply: Reply,
    status: u16,
    code: &'static str,
    /// How often the model server is asked, with two retries allowed.
    calls: usize,
}

const ONCE: usize = 1;
const RETRIED: usize = 3;

fn fault(reply: Reply, status: u16, code: &'static str, calls: usize) -> Fault {
    Fault {
        reply,
        status,
        code,
        calls,
    }
}

/// Plays each fault to a user of its own and checks answer, calls and what is stored.
async fn play(faults: impl IntoIterator<Item = Fault>) -> Vec<Answer> {
    let server = TestServer::start().await;
    let mut answers = Vec::new();
    for fault in faults {
        let calls_before = server.upstream.chats().len();
        server.upstream.script(MODEL, [fault.reply.clone()]);
        let user = server.user();
        let conversation = user.new_conversation(&json!({})).await;
        let answer = user.chat(&ask_in(&conversation)).await;
        assert_eq!(answer.status, fault.status, "{:?}: {answer:?}", fault.reply);
        answer.error(fault.status, fault.code);
        let calls = server.upstream.chats().len() - calls_before;
        assert_eq!(calls, fault.calls, "calls for {:?}", fault.reply);
        assert!(
            !answer.text().contains("127.0.0.1"),
            "no address of an upstream: {answer:?}"
        );
        let messages = user.messages(&conversation).await;
        assert_eq!(
            messages[0]["content"], "Hi",
            "the user's message stays: {:?}",
            fault.reply
        );
        answers.push(answer);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn our_key_was_refused() {
    let kinds = [
        (401, "auth_error"),
        (401, "expired_key"),
        (403, "auth_error"),
        (400, "no_db_connection"),
    ];
    let faults = kinds.map(|(status, kind)| {
        let reply = Reply::error(status, kind, "Authentication Error - sk-...df83");
        fault(reply, 502, "UPSTREAM_AUTH_FAILED", ONCE)
    });
    for answer in Box::pin(play(faults)).await {
        assert!(!answer.text().contains("sk-"), "nothing secret: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_is_not_open_or_not_there() {
    let denied = "key not allowed to access model. This key can only access models=['a']";
    let invalid = "/chat/completions: Invalid model name passed in model=test-model. Call `/v1/models`";
    let missing = "The model `test-model` does not exist";
    play([
        fault(
            Reply::error(403, "key_model_access_denied", denied),
            403,
            "MODEL_ACCESS_DENIED",
            ONCE,
        ),
        fault(
            Reply::error(400, "invalid_request_error", invalid),
            404,
            "MODEL_NOT_FOUND",
            ONCE,
        ),
        fault(
            Reply::error(404, "invalid_request_error", missing),
            404,
            "MODEL_NOT_FOUND",
            ONCE,
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_404_is_a_wrong_address() {
    let reply = Reply::raw(404, "application/json", r#"{"detail":"Not Found"}"#);
    play([fault(reply, 502, "UPSTREAM_ERROR", ONCE)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_is_used_up() {
    let message = "Budget has been exceeded! Current cost: 0.1, Max budget: 0.05";
    let faults = [400, 422, 429].map(|status| {
        fault(
            Reply::error(status, "budget_exceeded", message),
            402,
            "UPSTREAM_BUDGET_EXCEEDED",
            ONCE,
        )
    });
    for answer in Box::pin(play(faults)).await {
        assert_eq!(answer.json()["error"]["type"], "insufficient_quota");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_was_rejected_for_the_models_reason() {
    let detail = Reply::raw(
        422,
        "application/json",
        r#"{"detail":[{"msg":"this tool is unknown"}]}"#,
    );
    let answers = play([
        fault(
            Reply::error(400, "invalid_request_error", "this tool is unknown"),
            422,
            "UPSTREAM_REJECTED",
            ONCE,
        ),
        fault(
            Reply::error(422, "None", "this tool is unknown"),
            422,
            "UPSTREAM_REJECTED",
            ONCE,
        ),
        fault(detail, 422, "UPSTREAM_REJECTED", ONCE),
    ])
    .await;
    for answer in answers {
        assert!(
            answer.text().contains("this tool is unknown"),
            "the model's message: {answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_cannot_be_shortened_is_too_long() {
    for message in [
        "litellm.ContextWindowExceededError: too long",
        "code: context_length_exceeded",
    ] {
        let server = TestServer::start().await;
        server
            .upstream
            .script(MODEL, [Reply::error(400, "invalid_request_error", message)]);
        server
            .user()
            .chat(&ask())
            .await
            .error(422, "CONTEXT_LENGTH_EXCEEDED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_wait_is_passed_on_at_once() {
    let reply = Reply::error(429, "throttling_error", "Rate limit exceeded").header("retry-after", "60");
    let answers = play([fault(reply, 429, "UPSTREAM_RATE_LIMITED", ONCE)]).await;
    assert_eq!(answers[0].header("retry-after"), "60");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_without_a_time_is_retried() {
    let reply = Reply::error(429, "throttling_error", "litellm.RateLimitError: slow down");
    let answers = play([fault(reply, 429, "UPSTREAM_RATE_LIMITED", RETRIED)]).await;
    assert!(!answers[0].header("retry-after").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_server_is_retried() {
    let sse = "data: {\"error\":{\"message\":\"boom\",\"code\":\"500\"}}\n\ndata: [DONE]\n\n";
    let error = |status| Reply::error(status, "internal_server_error", "boom");
    Box::pin(play([
        fault(error(500), 502, "UPSTREAM_ERROR", RETRIED),
        fault(error(502), 502, "UPSTREAM_ERROR", RETRIED),
        fault(
            Reply::raw(500, "text/event-stream", sse),
            502,
            "UPSTREAM_ERROR",
            RETRIED,
        ),
        fault(
            Reply::raw(500, "text/html", "<html>boom</html>"),
            502,
            "UPSTREAM_ERROR",
            RETRIED,
        ),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_or_unreadable_success_is_a_failure() {
    play([
        fault(Reply::stream(), 502, "UPSTREAM_ERROR", RETRIED),
        fault(
            Reply::raw(200, "text/html", "<html>Hello</html>"),
            502,
            "UPSTREAM_ERROR",
            RETRIED,
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_capacity_is_unavailable() {
    let answers = play([
        fault(
            Reply::error(503, "None", "overloaded"),
            503,
            "UPSTREAM_UNAVAILABLE",
            RETRIED,
        ),
        fault(
            Reply::error(429, "None", "No deployments available for selected model"),
            503,
            "UPSTREAM_UNAVAILABLE",
            RETRIED,
        ),
    ])
    .await;
    for answer in answers {
        assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_gives_up_in_time_is_a_timeout() {
    for status in [408, 504] {
        let reply = Reply::error(status, "timeout_error", "litellm.Timeout: too slow");
        let answers = play([fault(reply, 504, "UPSTREAM_TIMEOUT", RETRIED)]).await;
        assert_eq!(answers[0].json()["error"]["type"], "timeout_error");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let server = TestServer::with([("LITELLM_URL", &refusing_url())]).await;
    let user = server.user();
    let conversation = user.new_conversation(&json!({})).await;
    let answer = user.chat(&ask_in(&conversation)).await;
    answer.error(503, "UPSTREAM_UNAVAILABLE");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(user.messages(&conversation).await[0]["content"], "Hi");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_before_the_first_byte_is_a_timeout() {
    let settings = [("LITELLM_FIRST_TOKEN_TIMEOUT", "1"), ("LITELLM_MAX_RETRIES", "0")];
    let server = TestServer::with(settings).await;
    for reply in [
        Reply::silent(),
        Reply::stream().hang(),
        Reply::stream().bytes(": ping\n\n").hang(),
    ] {
        server.upstream.script(MODEL, [reply.clone()]);
        let error = server.user().chat(&ask()).await.error(504, "UPSTREAM_TIMEOUT");
        assert_eq!(error["details"]["stage"], "first_token", "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unstreamed_answers_fail_in_the_same_way() {
    let settings = [("LITELLM_TIMEOUT", "1"), ("LITELLM_MAX_RETRIES", "0")];
    let server = TestServer::with(settings).await;
    let body = json!({"model": MODEL, "message": "Hi", "stream": false});
    for (reply, status, code) in [
        (
            Reply::error(500, "internal_server_error", "boom"),
            502,
            "UPSTREAM_ERROR",
        ),
        (Reply::raw(200, "application/json", "{"), 502, "UPSTREAM_ERROR"),
        (Reply::raw(200, "application/json", ""), 502, "UPSTREAM_ERROR"),
        (
            Reply::raw(200, "application/json", "{").cut(),
            502,
            "UPSTREAM_ERROR",
        ),
        (
            Reply::error(503, "None", "overloaded"),
            503,
            "UPSTREAM_UNAVAILABLE",
        ),
        (Reply::silent(), 504, "UPSTREAM_TIMEOUT"),
        (
            Reply::head(200, "application/json").hang(),
            504,
            "UPSTREAM_TIMEOUT",
        ),
    ] {
        server.upstream.script(MODEL, [reply.clone()]);
        let answer = server.user().chat(&body).await;
        assert_eq!(answer.status, status, "{reply:?}: {answer:?}");
        answer.error(status, code);
    }
}
