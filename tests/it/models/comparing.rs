//! Models side by side, and what each provider has.

use serde_json::{Value, json};

use super::{ROUTE, with_groups};
use crate::support::TestServer;

async fn start() -> TestServer {
    with_groups(json!([
        {"model_group": "dear", "providers": ["openai"], "mode": "chat", "max_input_tokens": 128_000,
         "max_output_tokens": 16_000, "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
         "supports_vision": true, "supports_function_calling": true},
        {"model_group": "cheap", "providers": ["openai"], "mode": "chat", "max_input_tokens": 8_000,
         "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07},
        {"model_group": "anthropic/long", "providers": ["anthropic"], "mode": "chat", "max_input_tokens": 1_000_000,
         "input_cost_per_token": 3e-06},
        {"model_group": "vectors", "providers": ["openai"], "mode": "embedding", "input_cost_per_token": 2e-08,
         "health_status": "unhealthy"},
    ]))
    .await
}

async fn compare(server: &TestServer, ids: &str) -> Value {
    let answer = server
        .user()
        .get(&format!("{ROUTE}/compare?model_ids={ids}"))
        .await;
    answer.data(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn models_stand_side_by_side() {
    let server = start().await;
    let comparison = compare(&server, "dear,cheap,anthropic/long").await;
    assert_eq!(
        super::ids_of(&comparison["models"]),
        ["dear", "cheap", "anthropic/long"]
    );
    assert_eq!(
        (
            &comparison["cheapest"],
            &comparison["largest"],
            &comparison["most_capable"]
        ),
        (&json!("cheap"), &json!("anthropic/long"), &json!("dear"))
    );
    assert_eq!(
        comparison["reference_chat"],
        json!({"input_tokens": 1_000, "output_tokens": 500, "costs": [
            {"model_id": "dear", "cost_usd": 0.0075},
            {"model_id": "cheap", "cost_usd": 0.00045},
            {"model_id": "anthropic/long", "cost_usd": null},
        ]})
    );
    let matrix = &comparison["matrix"];
    assert_eq!(
        matrix["context_window"],
        json!({"dear": 128_000, "cheap": 8_000, "anthropic/long": 1_000_000})
    );
    assert_eq!(
        matrix["max_output_tokens"],
        json!({"dear": 16_000, "cheap": null, "anthropic/long": null})
    );
    assert_eq!(
        matrix["input_per_1m"],
        json!({"dear": 2.5, "cheap": 0.15, "anthropic/long": 3})
    );
    assert_eq!(
        matrix["capabilities"],
        json!({
            "chat": {"dear": true, "cheap": true, "anthropic/long": true},
            "vision": {"dear": true, "cheap": false, "anthropic/long": false},
            "function_calling": {"dear": true, "cheap": false, "anthropic/long": false},
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_may_be_spaced_doubled_and_encoded() {
    let server = start().await;
    let comparison = compare(&server, "dear,%20anthropic%2Flong,,dear").await;
    assert_eq!(super::ids_of(&comparison["models"]), ["dear", "anthropic/long"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_unknown_ids_are_named() {
    let server = start().await;
    let answer = server
        .user()
        .get(&format!("{ROUTE}/compare?model_ids=dear,nope,openai/nix"))
        .await;
    let error = answer.error(404, "MODEL_NOT_FOUND");
    assert_eq!(error["details"]["model_ids"], json!(["nope", "openai/nix"]));
    assert_eq!(error["param"], "model_ids");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("`nope`, `openai/nix`")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_to_ten_models_can_be_compared() {
    let server = start().await;
    let user = server.user();
    let eleven: Vec<_> = (0..11).map(|n| format!("m{n}")).collect();
    for ids in [
        "",
        "?model_ids=",
        "?model_ids=dear",
        "?model_ids=dear,dear",
        &format!("?model_ids={}", eleven.join(",")),
        &format!("?model_ids=dear,{}", "x".repeat(201)),
    ] {
        let answer = user.get(&format!("{ROUTE}/compare{ids}")).await;
        assert_eq!(answer.invalid_fields(), ["model_ids"], "{ids}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_are_summed_up() {
    let server = start().await;
    let providers = server.user().get(&format!("{ROUTE}/providers")).await.data(200);
    assert_eq!(
        providers,
        json!([
            {"provider": "anthropic", "models": 1, "available": 1, "modes": {"chat": 1}, "capabilities": {"chat": 1},
             "input_per_1m": {"min": 3, "max": 3}, "output_per_1m": null},
            {"provider": "openai", "models": 3, "available": 2, "modes": {"chat": 2, "embedding": 1},
             "capabilities": {"chat": 2, "vision": 1, "function_calling": 1},
             "input_per_1m": {"min": 0.02, "max": 2.5}, "output_per_1m": {"min": 0.6, "max": 10}},
        ])
    );
}
