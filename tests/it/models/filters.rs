//! Filters and orders of the list.

use serde_json::{Value, json};

use super::{ROUTE, ids, with_groups};
use crate::support::TestServer;

/// Four models that differ in everything that can be asked for.
async fn start() -> TestServer {
    let group = |name: &str, provider: &str, mode: &str, more: Value| {
        let mut group = json!({"model_group": name, "providers": [provider], "mode": mode});
        for (key, value) in more.as_object().expect("fields") {
            group[key] = value.clone();
        }
        group
    };
    with_groups(json!([
        group(
            "big",
            "openai",
            "chat",
            json!({"max_input_tokens": 1_000_000, "max_output_tokens": 32_000,
            "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
            "supports_vision": true, "supports_function_calling": true})
        ),
        group(
            "Small",
            "anthropic",
            "chat",
            json!({"max_input_tokens": 8_000, "max_output_tokens": 4_000,
            "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
            "supports_function_calling": true, "supports_reasoning": true})
        ),
        group(
            "vectors",
            "cohere",
            "embedding",
            json!({"input_cost_per_token": 1e-07})
        ),
        group("broken", "xai", "chat", json!({"health_status": "unhealthy"})),
    ]))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_narrows_the_list_down() {
    let server = start().await;
    let user = server.user();
    for (query, expected) in [
        ("", &["big", "Small", "vectors"][..]),
        ("available_only=false", &["big", "broken", "Small", "vectors"]),
        ("provider=anthropic", &["Small"]),
        ("provider=meta", &[]),
        ("mode=embedding", &["vectors"]),
        ("capability=vision", &["big"]),
        ("capability=chat", &["big", "Small"]),
        ("capability=function_calling&capability=reasoning", &["Small"]),
        ("capability=function_calling,vision", &["big"]),
        ("supports_streaming=false", &["vectors"]),
        ("supports_functions=true", &["big", "Small"]),
        ("supports_vision=false", &["Small", "vectors"]),
        ("min_context_window=8000", &["big", "Small"]),
        ("min_context_window=8001", &["big"]),
        ("min_output_tokens=4001", &["big"]),
        ("max_input_price=0.15", &["Small", "vectors"]),
        ("max_input_price=0.1499", &["vectors"]),
        ("max_output_price=10", &["big", "Small"]),
        ("max_output_price=0", &[]),
        (
            "provider=openai&capability=vision&min_context_window=1000000&max_input_price=2.5",
            &["big"],
        ),
        ("unknown_parameter=1", &["big", "Small", "vectors"]),
    ] {
        assert_eq!(ids(&user, &format!("?{query}")).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_comes_last_in_every_order() {
    let server = start().await;
    let user = server.user();
    for (query, expected) in [
        ("sort_by=name", ["big", "broken", "Small", "vectors"]),
        (
            "sort_by=name&sort_order=desc",
            ["vectors", "Small", "broken", "big"],
        ),
        ("sort_by=provider", ["Small", "vectors", "big", "broken"]),
        ("sort_by=input_price", ["vectors", "Small", "big", "broken"]),
        (
            "sort_by=input_price&sort_order=desc",
            ["big", "Small", "vectors", "broken"],
        ),
        ("sort_by=output_price", ["Small", "big", "broken", "vectors"]),
        (
            "sort_by=context_window&sort_order=desc",
            ["big", "Small", "broken", "vectors"],
        ),
    ] {
        let found = ids(&user, &format!("?available_only=false&{query}")).await;
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_parameter_can_be_is_refused_by_its_name() {
    let server = start().await;
    let user = server.user();
    for (query, field) in [
        ("provider=nobody", "provider"),
        ("mode=CHAT", "mode"),
        ("capability=flying", "capability"),
        ("capability=vision&capability=", "capability"),
        ("supports_vision=maybe", "supports_vision"),
        ("min_context_window=-1", "min_context_window"),
        ("min_output_tokens=1.5", "min_output_tokens"),
        ("max_input_price=-1", "max_input_price"),
        ("max_input_price=NaN", "max_input_price"),
        ("max_output_price=free", "max_output_price"),
        ("max_output_price=1e99", "max_output_price"),
        ("available_only=", "available_only"),
        ("sort_by=beauty", "sort_by"),
        ("sort_order=up", "sort_order"),
        ("mode=chat%00", "mode"),
    ] {
        let answer = user.get(&format!("{ROUTE}?{query}")).await;
        assert_eq!(answer.invalid_fields(), [field], "{query}");
    }
}
