//! OpenAI-compatible chat: everything passes, nothing is stored.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, EventStream, Gate, MODEL, Reply, TestServer, chunk, within};

const CHAT: &str = "/v1/chat/completions";

/// A request as OpenAI's clients send it.
fn ask(stream: bool) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": stream})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_do_not_know_passes_byte_for_byte() {
    let server = TestServer::start().await;
    let user = server.user();
    let fields = [
        r#""messages":[{"role":"user","content":"Hi","x_name":1.0}]"#,
        r#""temperature":1.0"#,
        r#""x_number":12345678901234567890123"#,
        r#""x_nested":[1e3,{"b": null,"a":"\u00e9"}]"#,
        r#""logit_bias":{"50256":-100}"#,
    ];
    let body = format!(
        r#"{{"model":"{MODEL}",{},"user":"someone else"}}"#,
        fields.join(",")
    );
    assert_eq!(user.post_raw(CHAT, body).await.status, 200);
    let sent = server.upstream.last_chat();
    for field in fields {
        assert!(sent.body.contains(field), "{field} in {}", sent.body);
    }
    assert_eq!(sent.json()["user"], user.user.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_not_streamed_unless_asked_and_pass_byte_for_byte() {
    let server = TestServer::start().await;
    server.upstream.script(MODEL, [Reply::completion("Hello!")]);
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]});
    let answer = server.user().chat(&body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text(), chunk::completion("Hello!"));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_hold_the_models_chunks_and_nothing_else() {
    let server = TestServer::start().await;
    let chunks = [
        chunk::text("Hel"),
        r#"{"id": "c1", "choices":[{"index":0,"delta":{"content":"lo"}}],"score":1.0}"#.to_owned(),
        chunk::tool_call(Some("call_1"), "{}"),
        chunk::finish("stop"),
    ];
    server.upstream.script(
        MODEL,
        [Reply::stream()
            .events(chunks.clone())
            .event(chunk::usage(1, 2))
            .done()],
    );
    let transcript = server.user().chat_stream(&ask(true)).await.finish().await;
    assert_eq!(
        transcript.chunks(),
        chunks,
        "and the usage, which was not asked for, is not shown"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_always_asked_for_and_shown_if_wanted() {
    let server = TestServer::start().await;
    let mut body = ask(true);
    body["stream_options"] = json!({"include_usage": true, "x_other": 1.0});
    let transcript = server.user().chat_stream(&body).await.finish().await;
    let last = transcript.last();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"], 8);
    assert!(
        last["usage"].get("cost_usd").is_none(),
        "none of our extras: {last}"
    );
    let sent = server.upstream.last_chat().json();
    assert_eq!(
        sent["stream_options"],
        json!({"include_usage": true, "x_other": 1.0})
    );

    body["stream_options"] = json!({"include_usage": false});
    let transcript = server.user().chat_stream(&body).await.finish().await;
    assert!(
        transcript.chunks().iter().all(|data| !data.contains("usage")),
        "{transcript:?}"
    );
    assert_eq!(
        server.upstream.last_chat().json()["stream_options"]["include_usage"],
        true
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_on_other_chunks_is_taken_off_where_it_was_not_asked_for() {
    let server = TestServer::start().await;
    let mut last: Value = serde_json::from_str(&chunk::finish("stop")).expect("JSON");
    last["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
    server
        .upstream
        .script(MODEL, [Reply::stream().text("Hi").event(last.to_string()).done()]);
    let transcript = server.user().chat_stream(&ask(true)).await.finish().await;
    let shown = transcript.last();
    assert_eq!(shown["choices"][0]["finish_reason"], "stop");
    assert!(shown.get("usage").is_none(), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_400_which_openais_clients_know() {
    let server = TestServer::start().await;
    let user_message = json!([{"role": "user", "content": "Hi"}]);
    for (body, field) in [
        (json!({"model": MODEL, "messages": []}), "messages"),
        (json!({"model": MODEL, "messages": "Hi"}), "messages"),
        (json!({"model": MODEL, "messages": ["Hi"]}), "messages"),
        (
            json!({"model": MODEL, "messages": [{"content": "Hi"}]}),
            "messages",
        ),
        (json!({"model": 5, "messages": user_message}), "model"),
        (
            json!({"model": MODEL, "messages": user_message, "stream": "yes"}),
            "stream",
        ),
    ] {
        let answer = server.user().chat(&body).await;
        let error = answer.error(400, "VALIDATION_ERROR");
        let param = error["param"].as_str().unwrap_or_default();
        assert!(param.starts_with(field), "{body}: {error}");
    }
    assert_eq!(server.upstream.chats().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_refuses_is_400_too() {
    let server = TestServer::start().await;
    let context = "litellm.ContextWindowExceededError: this is too long";
    for (message, code) in [
        (context, "CONTEXT_LENGTH_EXCEEDED"),
        ("bad tool", "UPSTREAM_REJECTED"),
    ] {
        server
            .upstream
            .script(MODEL, [Reply::error(400, "invalid_request_error", message)]);
        for stream in [false, true] {
            server.user().chat(&ask(stream)).await.error(400, code);
        }
    }
    assert_eq!(
        server.upstream.chats().len(),
        4,
        "nothing is shortened or tried again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stored() {
    let server = TestServer::start().await;
    let user = server.user();
    user.chat_stream(&ask(true)).await.finish().await;
    assert_eq!(user.chat(&ask(false)).await.status, 200);
    assert_eq!(
        user.get("/v1/conversations").await.data(200)["pagination"]["total"],
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_stops_the_model_within_a_second() {
    let server = TestServer::start().await;
    server
        .upstream
        .script(MODEL, [Reply::stream().text("one").hang()]);
    let mut stream = server.user().chat_stream(&ask(true)).await;
    stream.until_text("one").await;
    drop(stream);
    server.upstream.wait_for_hang_up(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_first_token_stops_the_model_too() {
    let server = TestServer::start().await;
    server.upstream.script(MODEL, [Reply::silent()]);
    for stream in [true, false] {
        let calls = server.upstream.chats().len();
        let user = server.user();
        let body = ask(stream);
        tokio::select! {
            answer = user.chat(&body) => panic!("a silent model answered: {answer:?}"),
            () = server.upstream.wait_for_chats(calls + 1) => {}
        }
        server.upstream.wait_for_hang_up(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_request_the_answer_outlives_its_client() {
    let server = TestServer::start().await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::stream().text("one").wait(&gate).text("two").end()]);
    let request = user
        .request(Method::POST, CHAT)
        .header("x-on-disconnect", "continue");
    let mut stream = EventStream::open(request.json(&ask(true))).await;
    stream.until_text("one").await;
    let id = stream.stream_id();
    drop(stream);
    gate.open();
    let transcript = user
        .stream(&format!("/v1/chat/streams/{id}"))
        .await
        .finish()
        .await;
    assert_eq!(transcript.text(), "onetwo");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_that_request_no_log_is_kept() {
    let server = TestServer::start().await;
    let user = server.user();
    let stream = user.chat_stream(&ask(true)).await;
    let id = stream.stream_id();
    stream.finish().await;
    user.get(&format!("/v1/chat/streams/{id}"))
        .await
        .error(404, "STREAM_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_mid_stream_is_an_event() {
    let server = TestServer::start().await;
    server
        .upstream
        .script(MODEL, [Reply::stream().text("one").event(chunk::error("boom"))]);
    let transcript = server.user().chat_stream(&ask(true)).await.finish().await;
    assert_eq!(transcript.text(), "one");
    transcript.error("UPSTREAM_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_id_is_the_models_call_id() {
    let server = TestServer::start().await;
    let request = server
        .user()
        .request(Method::POST, CHAT)
        .header("x-request-id", "req-7");
    let answer = within("an answer", Answer::to(request.json(&ask(false)))).await;
    assert_eq!(answer.header("x-request-id"), "req-7");
    assert_eq!(server.upstream.last_chat().header("x-litellm-call-id"), "req-7");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_json_does_not_keep_a_stream_from_streaming() {
    let server = TestServer::start().await;
    let request = server
        .user()
        .request(Method::POST, CHAT)
        .header("accept", "application/json");
    EventStream::open(request.json(&ask(true))).await.finish().await;
}
