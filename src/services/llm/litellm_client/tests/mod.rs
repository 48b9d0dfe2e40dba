//! The client against a small scripted server. The shapes are those of a real LiteLLM proxy.

mod attempts;
mod events;
mod upstream;

use std::time::Duration;

use futures_util::StreamExt as _;
use secrecy::SecretString;
use uuid::Uuid;

use self::upstream::Upstream;
use super::*;
use crate::config::{ModelFallback, OnDisconnect};
use crate::models::ids::UserId;

const FIRST: &str = r#"{"id":"c1","object":"chat.completion.chunk","created":1795405226,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
const TOKEN: &str = r#"{"id":"c1","object":"chat.completion.chunk","created":1795405226,"model":"m","choices":[{"index":0,"delta":{"content":"tök0 "}}]}"#;
const END: &str = r#"{"id":"c1","object":"chat.completion.chunk","created":1795405226,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const ERROR: &str = r#"{"error": {"message": "litellm.APIConnectionError: APIConnectionError: OpenAIException - upstream blew up", "type": null, "param": null, "code": "500"}}"#;
const COMPLETION: &str = r#"{"id":"chatcmpl-7","created":1795405065,"model":"gpt-4o-mini","object":"chat.completion","choices":[{"finish_reason":"stop","index":0,"message":{"content":"Hi","role":"assistant"}}],"usage":{"completion_tokens":20,"prompt_tokens":8,"total_tokens":28}}"#;

pub(super) fn settings(url: &str) -> ModelSettings {
    ModelSettings {
        litellm_url: Some(url.to_owned()),
        litellm_master_key: Some(SecretString::from("sk-master")),
        idle_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(5),
        first_token_timeout: Duration::from_secs(10),
        max_retries: 0,
        default_model: None,
        default_max_tokens: 2_000,
        max_output_tokens: 32_768,
        max_temperature: 2.0,
        fallbacks: Vec::new(),
        direct_providers: Vec::new(),
    }
}

fn load() -> LoadSettings {
    let second = Duration::from_secs(1);
    LoadSettings {
        connection_pool_size: 10,
        max_concurrent_requests: 10,
        max_streams_per_user: 10,
        request_timeout: second,
        header_read_timeout: second,
        write_timeout: second,
        stream_timeout: second,
        sse_keepalive: second,
        stream_retention: second,
        replay_max_bytes: 0,
        on_disconnect: OnDisconnect::Continue,
        disconnect_grace: second,
        checkpoint_interval: second,
        rate_limit_enabled: false,
        user_rate_per_minute: 1,
        user_rate_burst: 1,
        rate_per_minute: 1,
        rate_burst: 1,
    }
}

fn client_with(settings: &ModelSettings) -> LiteLlmClient {
    let metrics = Arc::new(Metrics::new(0).expect("families"));
    LiteLlmClient::new(settings, &load(), metrics, Clock::system()).expect("a client")
}

fn client(upstream: &Upstream) -> LiteLlmClient {
    client_with(&settings(&upstream.url))
}

/// A client whose time limits pass soon.
fn impatient_client(upstream: &Upstream) -> LiteLlmClient {
    let limit = Duration::from_millis(250);
    client_with(&ModelSettings {
        idle_timeout: limit,
        first_token_timeout: limit,
        ..settings(&upstream.url)
    })
}

fn call() -> ModelCall {
    ModelCall {
        request_id: "req-1".into(),
        user: UserId(Uuid::nil()),
        model: "asked".into(),
        body: serde_json::from_str(r#"{"model":"asked","messages":[]}"#).expect("an object"),
        traceparent: None,
        attempts: crate::services::llm::AttemptLog::default(),
    }
}

fn data(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// The events of a stream as texts; an error is its kind.
async fn transcript(stream: ModelStream) -> Vec<String> {
    let text = |event| match event {
        Ok(ModelEvent::Chunk(json)) => String::from_utf8(json.to_vec()).expect("text"),
        Ok(ModelEvent::Done) => "done".to_owned(),
        Err(error) => ModelError::kind(&error).as_str().to_owned(),
    };
    stream.events.map(text).collect().await
}

/// The kind of error that a stream fails with before its first chunk.
async fn refused(client: &LiteLlmClient) -> ModelErrorKind {
    match client.stream(&call()).await {
        Ok(_) => panic!("the stream was opened"),
        Err(error) => error.kind(),
    }
}

fn fallback(model: &str, fallbacks: &[&str]) -> ModelFallback {
    ModelFallback {
        model: model.to_owned(),
        fallbacks: fallbacks.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn names_what_is_wrong_with_the_settings() {
    let build = |settings: &ModelSettings| {
        let metrics = Arc::new(Metrics::new(0).expect("families"));
        LiteLlmClient::new(settings, &load(), metrics, Clock::system()).err()
    };
    let mut none = settings("");
    none.litellm_url = None;
    assert!(matches!(build(&none), Some(ClientError::NoServer)));
    assert!(matches!(
        build(&settings("litellm")),
        Some(ClientError::BadUrl("LITELLM_URL"))
    ));
    let mut key = settings("http://x");
    key.litellm_master_key = Some(SecretString::from("a\nb"));
    assert!(matches!(
        build(&key),
        Some(ClientError::BadKey("LITELLM_MASTER_KEY"))
    ));
}
