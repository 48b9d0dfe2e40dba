//! OpenAI's own SDKs against the running binary: `tests/fixtures/openai_sdk.{py,cjs}` have the expectations, the same in
//! both languages.
//!
//! `scripts/test` installs them and says where. Without them these tests fail rather than pass unseen.

use serde_json::json;

use crate::support::client::text;
use crate::support::script::Interpreter;
use crate::support::{Client, Machine, Reply, Upstream, chunk};

/// Where keys are made.
const KEYS: &str = "/v1/users/me/api-keys";

/// What each script tells when all is well, one line for each expectation.
const EXPECTATIONS: usize = 9;

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_works_with_a_token() {
    works(Interpreter::Python, "openai_sdk.py", Credential::Token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_works_with_an_api_key() {
    works(Interpreter::Python, "openai_sdk.py", Credential::ApiKey).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_sdk_works_with_a_token() {
    works(Interpreter::Node, "openai_sdk.cjs", Credential::Token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_sdk_works_with_an_api_key() {
    works(Interpreter::Node, "openai_sdk.cjs", Credential::ApiKey).await;
}

/// What an SDK is given as its `api_key`.
#[derive(Clone, Copy)]
enum Credential {
    Token,
    ApiKey,
}

/// Has an SDK do all that its script expects.
async fn works(interpreter: Interpreter, script: &str, credential: Credential) {
    let machine = Machine::new().await;
    prepare(&machine.upstream);
    let process = machine.serve("1").await;
    let user = process.user();
    let credential = match credential {
        Credential::Token => user.token.clone().expect("a token"),
        Credential::ApiKey => make_key(&user, &["chat", "models:read"]).await.0,
    };
    let (narrow, _) = make_key(&user, &["models:read"]).await;
    let (revoked, id) = make_key(&user, &["chat"]).await;
    user.delete(&format!("{KEYS}/{id}")).await.data(200);
    let settings = [
        ("BASE_URL", process.base.as_str()),
        ("API_KEY", &credential),
        ("NARROW_KEY", &narrow),
        ("REVOKED_KEY", &revoked),
    ];
    let output = interpreter.run(script, &[], &settings).await;
    assert_eq!(output.code, Some(0), "{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.stdout.lines().count(), EXPECTATIONS, "{}", output.stdout);
    check(&machine.upstream);
}

/// A key that this user makes with these scopes, as curl would make it; and the key's id.
async fn make_key(user: &Client, scopes: &[&str]) -> (String, String) {
    let body = json!({"name": "for OpenAI's SDK", "scopes": scopes});
    let made = user.post(KEYS, &body).await.data(201);
    (text(&made["key"]), text(&made["id"]))
}

/// What the model server was asked.
fn check(upstream: &Upstream) {
    let chats = upstream.chats();
    for chat in chats
        .iter()
        .filter(|chat| chat.model().starts_with("calls-a-tool"))
    {
        let tool = &chat.json()["tools"][0];
        assert_eq!(tool["function"]["name"], "weather", "tools are passed on");
    }
    let goes_on = chats.iter().any(|chat| {
        let roles = chat.json()["messages"].as_array().map_or(0, Vec::len);
        chat.model() == "remembers" && roles == 3
    });
    assert!(
        goes_on,
        "the second question of a conversation comes with the first"
    );
}

/// Says which models there are, and what each of them does.
fn prepare(upstream: &Upstream) {
    let groups = json!({"data": [{"model_group": "openai/gpt-4o"}, {"model_group": "claude"}]});
    upstream.script_path("/model_group/info", Reply::json(200, &groups));
    upstream.script_path(
        "/models",
        Reply::json(200, &json!({"object": "list", "data": []})),
    );
    let streamed_call = Reply::stream()
        .event(chunk::role())
        .event(chunk::tool_call(Some("call_1"), r#"{"city":"#))
        .event(chunk::tool_call(None, r#""Paris"}"#))
        .event(chunk::finish("tool_calls"))
        .event(chunk::usage(5, 3))
        .done();
    let whole_call = Reply::raw(
        200,
        "application/json",
        chunk::completion_with_tool_call(r#"{"city":"Paris"}"#),
    );
    let limited = || {
        let body = json!({"error": {"message": "slow down", "type": "rate_limit_error"}});
        Reply::json(429, &body).header("retry-after", "2")
    };
    for (model, replies) in [
        ("calls-a-tool", vec![streamed_call]),
        ("calls-a-tool-at-once", vec![whole_call]),
        (
            "too-small",
            vec![Reply::error(
                400,
                "invalid_request_error",
                "context_length_exceeded",
            )],
        ),
        (
            "missing",
            vec![Reply::error(
                404,
                "not_found",
                "The model `missing` does not exist",
            )],
        ),
        ("limited", vec![limited()]),
        ("limited-once", vec![limited(), Reply::completion("Hello there!")]),
        ("locked", vec![Reply::error(401, "auth_error", "Invalid API key")]),
        (
            "breaks",
            vec![Reply::stream().text("one").event(chunk::error("boom")).done()],
        ),
    ] {
        upstream.script(model, replies);
    }
}
