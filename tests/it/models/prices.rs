//! What answers cost where the model server does not say: the catalog's prices.

use serde_json::{Value, json};

use super::{refresh, script_groups};
use crate::support::{Client, MODEL, Reply, TestServer, chunk};

/// A server whose [`MODEL`] costs 1 and 2 dollars for a million tokens. Answers have 5 tokens in and 3 out.
async fn start() -> TestServer {
    let server = TestServer::with([
        ("FALLBACK_MODELS", "failing=test-model"),
        ("DEFAULT_USER_BUDGET", "unlimited"),
    ])
    .await;
    script_groups(
        &server.upstream,
        json!([{"model_group": MODEL, "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06},
            {"model_group": "half-priced", "input_cost_per_token": 1e-06, "output_cost_per_token": 0},
            {"model_group": "failing", "input_cost_per_token": 1, "output_cost_per_token": 1}]),
    );
    refresh(&server.user()).await;
    server
}

/// What this model answers, as it is stored when its stream has ended.
async fn answer_of(user: &Client, model: &str) -> Value {
    let stream = user.chat_stream(&json!({"model": model, "message": "Hi"})).await;
    let conversation = stream.finish().await.conversation();
    user.messages(&conversation).await.remove(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_a_cost_costs_what_its_prices_come_to() {
    let server = start().await;
    let user = server.user();
    let message = answer_of(&user, MODEL).await;
    assert_eq!(message["usage"]["cost_usd"], 0.000_011, "{message}");
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(metrics.contains("unpriced_completions_total 0"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_without_a_cost_does_too() {
    let server = start().await;
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let answer = server
        .user()
        .chat(&json!({"model": MODEL, "messages": messages}))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let entries = server.ledger().await.entries().await;
    assert_eq!(entries[0].cost, Some(11_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_server_says_goes_first() {
    let server = start().await;
    let said = Reply::completion("Hi").header("x-litellm-response-cost", "1.5e-06");
    let usage = Reply::stream()
        .text("Hi")
        .event(chunk::finish("stop"))
        .event(chunk::usage_with_choice(5, 3, 0.25))
        .done();
    let user = server.user();
    for (reply, stream, cost) in [(said, false, 0.000_001_5), (usage, true, 0.25)] {
        server.upstream.script(MODEL, [reply]);
        let body = json!({"model": MODEL, "message": "Hi", "stream": stream});
        let conversation = if stream {
            user.chat_stream(&body).await.finish().await.conversation()
        } else {
            crate::support::client::text(&user.chat(&body).await.json()["conversation_id"])
        };
        assert_eq!(user.messages(&conversation).await[1]["usage"]["cost_usd"], cost);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_costs_its_own_price() {
    let server = start().await;
    server
        .upstream
        .script("failing", [Reply::error(500, "server_error", "boom")]);
    let user = server.user();
    let message = answer_of(&user, "failing").await;
    assert_eq!(
        (&message["model"], &message["usage"]["cost_usd"]),
        (&json!(MODEL), &json!(0.000_011))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_every_price_that_is_needed_the_cost_is_unknown() {
    let server = start().await;
    let user = server.user();
    for model in ["half-priced", "unheard-of"] {
        let message = answer_of(&user, model).await;
        assert!(message["usage"]["cost_usd"].is_null(), "{message}");
    }
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(metrics.contains("unpriced_completions_total 2"), "{metrics}");
    assert!(
        !metrics.contains("unheard-of"),
        "what is not in the catalog is no label"
    );
}
