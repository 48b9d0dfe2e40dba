//! One model by its id, and several by some words.

use serde_json::json;

use super::{ROUTE, ids_of, list, with_groups};
use crate::support::TestServer;

async fn start() -> TestServer {
    with_groups(json!([
        {"model_group": "gpt-4o"}, {"model_group": "gpt-4o-mini"}, {"model_group": "openai/gpt-4o"},
        {"model_group": "a/b/c d:é"}, {"model_group": "claude-sonnet-4-5"}, {"model_group": "groq/*"},
    ]))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_may_have_slashes_encoded_or_not() {
    let server = start().await;
    let user = server.user();
    for (path, id) in [
        ("gpt-4o", "gpt-4o"),
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("openai%2Fgpt-4o", "openai/gpt-4o"),
        ("openai%2fgpt-4o", "openai/gpt-4o"),
        ("a/b/c%20d:%C3%A9", "a/b/c d:é"),
        ("a%2Fb%2Fc%20d%3A%C3%A9", "a/b/c d:é"),
        ("a/b%2Fc%20d:%C3%A9", "a/b/c d:é"),
    ] {
        let answer = user.get(&format!("{ROUTE}/{path}")).await;
        assert_eq!(answer.data(200)["id"], id, "{path}");
        assert_eq!(answer.json()["id"], id, "OpenAI's SDK looks there: {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pattern_covers_is_a_model() {
    let server = start().await;
    let model = server
        .user()
        .get(&format!("{ROUTE}/groq/llama-3.3-70b-instruct"))
        .await
        .data(200);
    assert_eq!(model["metadata"]["wildcard"], "groq/*");
    assert_eq!(
        (&model["provider"], &model["limits"]["context_window"]),
        (&json!("meta"), &json!(128_000))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_ids_are_not_found_and_impossible_ones_refused() {
    let server = start().await;
    let user = server.user();
    for path in ["nope", "openai/nope", "groq", "GPT-4o", "groq/*", "gpt-4o%20"] {
        let error = user
            .get(&format!("{ROUTE}/{path}"))
            .await
            .error(404, "MODEL_NOT_FOUND");
        assert_eq!(error["param"], "model_id", "{path}");
    }
    for path in ["x".repeat(201), format!("openai/{}", "x".repeat(200))] {
        let answer = user.get(&format!("{ROUTE}/{path}")).await;
        assert_eq!(answer.invalid_fields(), ["model_id"], "{path}");
    }
    let answer = user.get(&format!("{ROUTE}/a%00b")).await;
    assert_eq!(answer.invalid_fields(), ["model_id"]);
    assert_eq!(user.get(&format!("{ROUTE}/a%ff")).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_find_models_the_best_first() {
    let server = start().await;
    let user = server.user();
    let search = async |query: &str| list(&user, &format!("/search?{query}")).await;
    let found = search("q=gpt-4o").await;
    assert_eq!(ids_of(&found["data"]), ["gpt-4o", "openai/gpt-4o", "gpt-4o-mini"]);
    assert_eq!(
        found["metadata"],
        json!({"query": "gpt-4o", "total": 3, "count": 3})
    );
    assert_eq!(ids_of(&search("q=MINI").await["data"]), ["gpt-4o-mini"]);
    assert_eq!(
        ids_of(&search("q=anthropic+vision").await["data"]),
        ["claude-sonnet-4-5"]
    );
    let first = search("q=gpt&limit=1").await;
    assert_eq!(
        (&first["metadata"]["total"], &first["metadata"]["count"]),
        (&json!(3), &json!(1))
    );
    for nothing in ["q=%22)%3B+DROP", "q=%25_", "q=((((", "q=nothing-like-it"] {
        assert_eq!(search(nothing).await["metadata"]["total"], 0, "{nothing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_searches_are_refused() {
    let server = start().await;
    let user = server.user();
    let long = format!("q={}", "é".repeat(201));
    for (query, field) in [
        ("", "q"),
        ("q=", "q"),
        ("q=%20", "q"),
        (&long, "q"),
        ("q=a&limit=0", "limit"),
        ("q=a&limit=101", "limit"),
        ("q=a&limit=x", "limit"),
    ] {
        let answer = user.get(&format!("{ROUTE}/search?{query}")).await;
        assert_eq!(answer.invalid_fields(), [field], "{query}");
    }
}
