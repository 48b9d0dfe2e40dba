//! What a list shows of a model.

use serde_json::json;

use super::{ROUTE, ids, list, refresh, with_groups};
use crate::support::{Reply, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_model_has_everything_that_litellm_knows() {
    let server = with_groups(json!([{
        "model_group": "smart", "providers": ["anthropic"], "max_input_tokens": 200_000.0, "max_output_tokens": 64_000.0,
        "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "mode": "chat", "supports_vision": true,
        "supports_function_calling": true, "supports_reasoning": false,
    }]))
    .await;
    server.upstream.script_path(
        "/model/info",
        Reply::json(
            200,
            &json!({"data": [{"model_name": "smart",
            "litellm_params": {"model": "anthropic/house-model", "api_base": "http://secret.internal"},
            "model_info": {"cache_read_input_token_cost": 3e-07, "supports_prompt_caching": true,
                "deprecation_date": "2030-01-31"}}]}),
        ),
    );
    let user = server.user();
    refresh(&user).await;
    let body = list(&user, "").await;
    assert_eq!(
        (&body["success"], &body["object"]),
        (&json!(true), &json!("list"))
    );
    assert_eq!(
        body["data"],
        json!([{
            "id": "smart", "object": "model", "created": 0, "owned_by": "anthropic", "name": "smart",
            "provider": "anthropic", "mode": "chat", "status": "available",
            "capabilities": ["chat", "vision", "function_calling", "prompt_caching"],
            "supports_streaming": true, "supports_functions": true, "supports_vision": true,
            "limits": {"context_window": 200_000, "max_output_tokens": 64_000},
            "pricing": {"input_per_1m": 3, "output_per_1m": 15, "cached_input_per_1m": 0.3, "currency": "USD"},
            "description": null,
            "metadata": {"sources": ["model_group_info", "model_info"], "priced_by": "model_group_info",
                "hosts": ["anthropic"], "deprecated_on": "2030-01-31", "has_larger_limits": false, "wildcard": null},
        }])
    );
    assert!(
        !body.to_string().contains("secret"),
        "nothing of the deployment's address is told"
    );
    let metadata = &body["metadata"];
    assert_eq!(
        (&metadata["total"], &metadata["count"], &metadata["stale"]),
        (&json!(1), &json!(1), &json!(false))
    );
    assert!(
        metadata["refreshed_at"].is_string() && metadata["well_known_as_of"].is_string(),
        "{metadata}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_list_is_enough_and_what_is_well_known_is_added() {
    let server = TestServer::start().await;
    let models = json!({"object": "list", "data": [
        {"id": "gpt-4o-mini", "object": "model", "created": 1_677_610_602, "owned_by": "openai"},
        {"id": "house-blend", "object": "model", "created": 1_677_610_602, "owned_by": "us"},
    ]});
    server.upstream.script_path("/models", Reply::json(200, &models));
    let user = server.user();
    refresh(&user).await;
    let body = list(&user, "").await;
    let [known, unknown] = body["data"].as_array().expect("models").as_slice() else {
        panic!("two models: {body}")
    };
    assert_eq!(known["name"], "GPT-4o Mini");
    assert_eq!(known["pricing"]["input_per_1m"], 0.15);
    assert_eq!(known["metadata"]["priced_by"], "well_known");
    assert_eq!(known["created"], 1_677_610_602);
    assert_eq!(
        (&unknown["provider"], &unknown["owned_by"]),
        (&json!("other"), &json!("us"))
    );
    assert!(
        unknown["pricing"]["input_per_1m"].is_null(),
        "unknown is not free: {unknown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_left_out_and_counted() {
    let server = with_groups(json!([
        {"model_group": "a", "input_cost_per_token": -1, "output_cost_per_token": "NaN", "max_input_tokens": "many"},
        {"model_group": "b", "input_cost_per_token": 1e300, "max_input_tokens": false, "providers": null, "mode": 5},
        {"model_group": "", "providers": {}}, null, "text", {"providers": []},
    ]))
    .await;
    let user = server.user();
    let body = list(&user, "").await;
    assert_eq!(body["metadata"]["total"], 2, "{body}");
    for model in body["data"].as_array().expect("models") {
        assert!(model["pricing"]["input_per_1m"].is_null(), "{model}");
        assert!(model["limits"]["context_window"].is_null(), "{model}");
    }
    let metrics = server.anonymous().get("/metrics").await.text();
    for line in [
        r#"catalog_dropped_total{kind="price"} 3"#,
        r#"catalog_dropped_total{kind="limit"} 1"#,
        r#"catalog_dropped_total{kind="model"} 4"#,
        "catalog_models 2",
        "catalog_stale 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "no `{line}` in\n{metrics}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_writes_nan_and_lists_may_be_objects() {
    let server = TestServer::start().await;
    for (path, body) in [
        (
            "/model_group/info",
            r#"{"data":{"model_group":"one","input_cost_per_token":NaN}}"#,
        ),
        (
            "/model/info",
            r#"{"data":{"two":{"model_info":{"mode":"embedding"}}}}"#,
        ),
        ("/models", r#"["nothing",{"id":"three"}]"#),
    ] {
        server
            .upstream
            .script_path(path, Reply::raw(200, "application/json", body));
    }
    let user = server.user();
    refresh(&user).await;
    assert_eq!(ids(&user, "").await, ["one", "three", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_are_told_but_are_no_models() {
    let server =
        with_groups(json!([{"model_group": "*"}, {"model_group": "openai/*"}, {"model_group": "own"}])).await;
    let body = list(&server.user(), "").await;
    assert_eq!(super::ids_of(&body["data"]), ["own"]);
    assert_eq!(body["metadata"]["wildcards"], json!(["openai/*", "*"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_server_there_is_the_demo() {
    let server = TestServer::with([("LITELLM_URL", "")]).await;
    let user = server.user();
    let body = list(&user, "").await;
    let [embedding, demo] = body["data"].as_array().expect("models").as_slice() else {
        panic!("two models: {body}")
    };
    assert_eq!(
        (&embedding["id"], &embedding["mode"]),
        (&json!("demo/embedding"), &json!("embedding"))
    );
    assert_eq!(
        (&demo["id"], &demo["mode"]),
        (&json!("demo/echo"), &json!("chat"))
    );
    assert_eq!(demo["pricing"]["output_per_1m"], 0, "it is known to be free");
    assert_eq!(
        refresh(&user).await,
        json!({"models": 2, "added": 0, "removed": 0})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn models_need_a_caller() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    for path in [
        "",
        "/providers",
        "/search?q=a",
        "/compare?model_ids=a,b",
        "/gpt-4o",
        "/openai/gpt-4o",
    ] {
        stranger
            .get(&format!("{ROUTE}{path}"))
            .await
            .error(401, "MISSING_AUTH_HEADER");
    }
    let refused = stranger.post(&format!("{ROUTE}/refresh"), &json!({})).await;
    refused.error(401, "MISSING_AUTH_HEADER");
}
