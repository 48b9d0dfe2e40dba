//! OpenAI's own Python SDK against the service: `tests/fixtures/openai_sdk.py` has the expectations.
//!
//! `scripts/test` installs it and says where. Without it this test fails rather than pass unseen.

use serde_json::json;

use crate::support::upstream::Upstream;
use crate::support::{Reply, TestServer, chunk, python, token};

#[tokio::test(flavor = "multi_thread")]
async fn openais_sdk_works_unmodified() {
    let server = TestServer::start().await;
    works_with(&server, &token::for_user(token::new_uuid())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_sdk_works_with_a_key_of_ours() {
    let server = TestServer::start().await;
    let body = json!({"name": "for OpenAI's SDK", "scopes": ["chat"]});
    let made = server.user().post("/v1/users/me/api-keys", &body).await.data(201);
    works_with(&server, made["key"].as_str().expect("a key")).await;
}

/// Has the SDK do all that the script expects of it.
async fn works_with(server: &TestServer, token: &str) {
    script(&server.upstream);
    let settings = [("BASE_URL", server.base()), ("TOKEN", token)];
    let output = python::run("openai_sdk.py", &[], &settings).await;
    assert_eq!(output.code, Some(0), "{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.stdout.lines().count(), 5, "{}", output.stdout);
    let tool = &server
        .upstream
        .chats()
        .into_iter()
        .find(|chat| chat.model() == "calls-a-tool")
        .expect("the chat with a tool")
        .json()["tools"][0];
    assert_eq!(tool["function"]["name"], "weather", "tools are passed on");
}

/// What each model does.
fn script(upstream: &Upstream) {
    let call = Reply::stream()
        .event(chunk::tool_call(Some("call_1"), r#"{"city":"#))
        .event(chunk::tool_call(None, r#""Paris"}"#))
        .event(chunk::finish("tool_calls"))
        .event(chunk::usage(5, 3))
        .done();
    for (model, reply) in [
        ("calls-a-tool", call),
        (
            "too-small",
            Reply::error(400, "invalid_request_error", "context_length_exceeded"),
        ),
        (
            "missing",
            Reply::error(404, "not_found", "The model `missing` does not exist"),
        ),
        (
            "limited",
            Reply::json(
                429,
                &json!({"error": {"message": "slow down", "type": "rate_limit_error"}}),
            )
            .header("retry-after", "7"),
        ),
        ("locked", Reply::error(401, "auth_error", "Invalid API key")),
        (
            "breaks",
            Reply::stream().text("one").event(chunk::error("boom")).done(),
        ),
    ] {
        upstream.script(model, [reply]);
    }
}
