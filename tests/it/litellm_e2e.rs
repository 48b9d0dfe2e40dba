//! End to end through a real LiteLLM proxy, whose mock models need no provider.
//!
//! `scripts/test` starts the proxy and says where it is. Without it these tests fail rather than pass unseen.

use serde_json::{Value, json};

use crate::support::{Answer, TestServer, Transcript};

const MODEL: &str = "gpt-4o-mini";

/// A server in front of the real proxy.
pub async fn start() -> TestServer {
    let settings = [
        ("LITELLM_URL", &*given("TEST_LITELLM_URL")),
        ("LITELLM_MASTER_KEY", &*given("TEST_LITELLM_KEY")),
    ];
    TestServer::with(settings).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the proxy is, not a setting of the service"
)]
fn given(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run scripts/test, which starts LiteLLM"))
}

/// The events, one a line, with what differs from run to run left out.
fn normalised(transcript: &Transcript) -> String {
    let lines = transcript
        .events
        .iter()
        .map(|event| match serde_json::from_str(&event.data) {
            Ok(mut json) => {
                redact(&mut json);
                format!("{}: {json}", event.id)
            }
            Err(_) => format!("{}: {}", event.id, event.data),
        });
    lines.collect::<Vec<_>>().join("\n")
}

fn redact(json: &mut Value) {
    let Some(object) = json.as_object_mut() else {
        return;
    };
    for (name, value) in object.iter_mut() {
        match name.as_str() {
            "id" => *value = json!("[id]"),
            "created" => *value = json!("[time]"),
            name if name.ends_with("_id") => *value = json!(format!("[{name}]")),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_answer() {
    let server = start().await;
    let user = server.user();
    let transcript = user
        .chat_stream(&json!({"model": MODEL, "message": "Hi"}))
        .await
        .finish()
        .await;
    insta::assert_snapshot!("streamed_conversation_chat", normalised(&transcript));
    let answer = &user.messages(&transcript.conversation()).await[1];
    assert_eq!(answer["content"], transcript.text());
    assert!(
        answer["usage"]["cost_usd"]
            .as_f64()
            .is_some_and(|cost| cost > 0.0),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_answer_for_openais_clients() {
    let server = start().await;
    let body = json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    let transcript = server.user().chat_stream(&body).await.finish().await;
    insta::assert_snapshot!("streamed_openai_chat", normalised(&transcript));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unstreamed_answer() {
    let server = start().await;
    let user = server.user();
    let answer = user
        .chat(&json!({"model": MODEL, "message": "Hi", "stream": false}))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let text = body["choices"][0]["message"]["content"].as_str().expect("a text");
    assert!(
        text.starts_with("Hello from the test model.") && text.contains("🙂"),
        "{text}"
    );
    assert!(body["usage"]["total_tokens"].is_number(), "{body}");
    let messages = user
        .messages(body["conversation_id"].as_str().expect("an id"))
        .await;
    assert_eq!(messages[1]["content"], text);
    assert!(
        messages[1]["usage"]["cost_usd"]
            .as_f64()
            .is_some_and(|cost| cost > 0.0),
        "{messages:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_turn() {
    let server = start().await;
    let user = server.user();
    let first = user
        .chat_stream(&json!({"model": MODEL, "message": "one"}))
        .await
        .finish()
        .await;
    let conversation = first.conversation();
    let body = json!({"model": MODEL, "message": "two", "conversation_id": conversation});
    user.chat_stream(&body).await.finish().await;
    assert_eq!(user.messages(&conversation).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_answered_by_their_meaning() {
    let server = start().await;
    let user = server.user();
    for (model, status, code) in [
        ("mock-ratelimit", 429, "UPSTREAM_RATE_LIMITED"),
        ("mock-error", 502, "UPSTREAM_ERROR"),
        ("mock-ctx", 422, "CONTEXT_LENGTH_EXCEEDED"),
        ("mock-timeout", 504, "UPSTREAM_TIMEOUT"),
        ("dead-upstream", 502, "UPSTREAM_ERROR"),
        ("no-such-model", 404, "MODEL_NOT_FOUND"),
    ] {
        for stream in [true, false] {
            let body = json!({"model": model, "message": "Hi", "stream": stream});
            let answer: Answer = user.chat(&body).await;
            assert_eq!(answer.status, status, "{model}, stream {stream}: {answer:?}");
            answer.error(status, code);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_litellm_refuses_is_not_the_users_fault() {
    let url = given("TEST_LITELLM_URL");
    let server = TestServer::with([("LITELLM_URL", &*url), ("LITELLM_MASTER_KEY", "sk-wrong")]).await;
    let answer = server
        .user()
        .chat(&json!({"model": MODEL, "message": "Hi"}))
        .await;
    answer.error(502, "UPSTREAM_AUTH_FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_counts_as_healthy() {
    let server = start().await;
    let answer = server.anonymous().get("/health").await;
    assert_eq!(answer.json()["status"], "healthy", "{answer:?}");
}
