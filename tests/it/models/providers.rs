//! Providers without LiteLLM: their models are asked for by their own names, each server in its own words.

use serde_json::json;

use super::{ROUTE, ids, list, refresh};
use crate::support::upstream::refusing_url;
use crate::support::{Reply, TestServer, Upstream};

fn models(ids: &[&str]) -> Reply {
    let models: Vec<_> = ids
        .iter()
        .map(|id| json!({"id": id, "object": "model"}))
        .collect();
    Reply::json(200, &json!({"object": "list", "data": models}))
}

/// A provider that has these models.
async fn provider(ids: &[&str]) -> Upstream {
    let provider = Upstream::start().await;
    provider.script_path("/models", models(ids));
    provider
}

#[tokio::test(flavor = "multi_thread")]
async fn one_catalog_tells_of_all_servers() {
    let openai = provider(&["gpt-4o-mini", "o3"]).await;
    let gemini = provider(&["models/gemini-2.5-pro"]).await;
    let server = TestServer::with([
        ("OPENAI_API_KEY", "sk-openai"),
        ("OPENAI_BASE_URL", &format!("{}/v1", openai.url())),
        ("GEMINI_API_KEY", "sk-gemini"),
        ("GEMINI_BASE_URL", &format!("{}/v1", gemini.url())),
    ])
    .await;
    let user = server.user();
    server.upstream.script_path("/models", models(&["own"]));
    refresh(&user).await;
    assert_eq!(
        ids(&user, "?sort_by=context_window").await,
        ["openai/gpt-4o-mini", "openai/o3", "gemini/gemini-2.5-pro", "own"]
    );
    let model = user.get(&format!("{ROUTE}/openai/gpt-4o-mini")).await.data(200);
    assert_eq!(
        (&model["provider"], &model["pricing"]["input_per_1m"]),
        (&json!("openai"), &json!(0.15))
    );
    assert_eq!(openai.requests()[0].header("authorization"), "Bearer sk-openai");
    assert_eq!(gemini.requests()[0].header("authorization"), "Bearer sk-gemini");
    // One server fails: what the others say is new, and its own models stay.
    openai.script_path("/models", Reply::error(500, "server_error", "boom"));
    server.upstream.script_path("/models", models(&["other"]));
    refresh(&user).await;
    let body = list(&user, "?provider=openai").await;
    assert_eq!(super::ids_of(&body["data"]), ["openai/gpt-4o-mini", "openai/o3"]);
    assert_eq!(body["metadata"]["stale"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_asked_in_its_own_words() {
    let mistral = provider(&["mistral-small-latest"]).await;
    let server = TestServer::with([
        ("LITELLM_URL", ""),
        ("MISTRAL_API_KEY", "sk-mistral"),
        ("MISTRAL_BASE_URL", &format!("{}/v1", mistral.url())),
        ("DEFAULT_MODEL", "mistral/mistral-small-latest"),
    ])
    .await;
    let user = server.user();
    let transcript = user
        .chat_stream(&json!({"message": "Hi", "seed": 7}))
        .await
        .finish()
        .await;
    let chat = mistral.last_chat();
    let sent = chat.json();
    assert_eq!(chat.path, "/v1/chat/completions");
    assert_eq!(
        (&sent["model"], &sent["random_seed"]),
        (&json!("mistral-small-latest"), &json!(7))
    );
    assert_eq!(sent["max_tokens"], 2_000);
    for refused in ["user", "stream_options", "seed"] {
        assert!(sent.get(refused).is_none(), "{refused} in {sent}");
    }
    assert_eq!(chat.header("authorization"), "Bearer sk-mistral");
    assert_eq!(
        chat.header("x-litellm-call-id"),
        "",
        "LiteLLM's headers are for LiteLLM"
    );
    let message = &user.messages(&transcript.conversation()).await[1];
    assert_eq!(message["model"], "mistral/mistral-small-latest");
    assert!(
        message["usage"]["cost_usd"]
            .as_f64()
            .is_some_and(|cost| cost > 0.0),
        "{message}"
    );
    let unknown = user.chat(&json!({"message": "Hi", "model": "gpt-4o"})).await;
    unknown.error(404, "MODEL_NOT_FOUND");
    let info = server.anonymous().get("/info").await.json();
    assert_eq!(info["backends"]["models"], "providers");
    assert_eq!(
        server.anonymous().get("/health").await.json()["services"]["llm"]["status"],
        "healthy"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropics_list_wants_its_key_in_its_own_header() {
    let anthropic = provider(&["claude-sonnet-4-5"]).await;
    let server = TestServer::with([
        ("LITELLM_URL", ""),
        ("ANTHROPIC_API_KEY", "sk-ant"),
        ("ANTHROPIC_BASE_URL", &format!("{}/v1", anthropic.url())),
    ])
    .await;
    assert_eq!(ids(&server.user(), "").await, ["anthropic/claude-sonnet-4-5"]);
    let request = &anthropic.requests()[0];
    assert_eq!(
        (request.header("x-api-key"), request.header("anthropic-version")),
        ("sk-ant", "2023-06-01")
    );
    assert_eq!(request.header("authorization"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_may_be_at_another_server() {
    let groq = provider(&["llama-3.3-70b-versatile"]).await;
    let server = TestServer::with([
        ("LITELLM_URL", &refusing_url()),
        ("LITELLM_MAX_RETRIES", "0"),
        ("GROQ_API_KEY", "gsk"),
        ("GROQ_BASE_URL", &format!("{}/v1", groq.url())),
        ("FALLBACK_MODELS", "gpt-4o=groq/llama-3.3-70b-versatile"),
    ])
    .await;
    let user = server.user();
    let transcript = user
        .chat_stream(&json!({"message": "Hi", "model": "gpt-4o"}))
        .await
        .finish()
        .await;
    assert_eq!(transcript.text(), "Hello there!");
    let sent = groq.last_chat().json();
    assert_eq!(
        (&sent["model"], &sent["max_completion_tokens"]),
        (&json!("llama-3.3-70b-versatile"), &json!(2_000))
    );
    let message = &user.messages(&transcript.conversation()).await[1];
    assert_eq!(message["model"], "groq/llama-3.3-70b-versatile");
    let health = server.anonymous().get("/health").await;
    assert_eq!(
        health.status, 200,
        "one server that answers is enough: {health:?}"
    );
}
