//! Failures after the first byte: what came is shown and stored, then the error, then `[DONE]`.

use serde_json::Value;

use super::ask;
use crate::support::{Gate, MODEL, Reply, TestServer, Transcript, chunk};

/// The code of an answer that the model server left unfinished.
const UNFINISHED: &str = "STREAM_INTERRUPTED";

/// The stream's transcript and the stored answer.
async fn play(server: &TestServer, reply: Reply) -> (Transcript, Value) {
    server.upstream.script(MODEL, [reply]);
    let user = server.user();
    let transcript = user.chat_stream(&ask()).await.finish().await;
    let messages = user.messages(&transcript.conversation()).await;
    assert_eq!(messages[0]["content"], "Hi", "the user's message stays");
    assert_eq!(server.upstream.chats().len(), 1, "no retry after the first byte");
    (transcript, messages[1].clone())
}

/// Plays a reply that breaks after "one" and checks what is shown and stored.
async fn assert_interrupted(reply: Reply, code: &str) -> Value {
    let server = TestServer::with([("LITELLM_TIMEOUT", "1")]).await;
    let (transcript, answer) = play(&server, reply).await;
    assert_eq!(transcript.text_before_error(), "one");
    let error = transcript.error(code);
    assert_eq!(answer["status"], "interrupted", "{answer}");
    assert_eq!(answer["content"], "one", "{answer}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_in_mid_stream() {
    let error = assert_interrupted(Reply::stream().text("one").hang(), "UPSTREAM_TIMEOUT").await;
    assert_eq!(error["details"]["stage"], "idle");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_longer_than_allowed() {
    let server = TestServer::with([("STREAM_TIMEOUT", "1")]).await;
    let (transcript, answer) = play(&server, Reply::stream().text("one").hang()).await;
    assert_eq!(transcript.error("UPSTREAM_TIMEOUT")["details"]["stage"], "total");
    assert_eq!(answer["status"], "interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_closed() {
    assert_interrupted(Reply::stream().text("one").cut(), UNFINISHED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_reset() {
    let server = TestServer::start().await;
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::stream().text("one").wait(&gate).reset()]);
    let user = server.user();
    let mut stream = user.chat_stream(&ask()).await;
    let first = stream.next().await.expect("a first chunk").json();
    stream.until_text("one").await;
    gate.open();
    stream.finish().await.error(UNFINISHED);
    let conversation = first["conversation_id"].as_str().expect("an id");
    let answer = &user.messages(conversation).await[1];
    assert_eq!(
        (answer["status"].as_str(), answer["content"].as_str()),
        (Some("interrupted"), Some("one"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_event_without_done() {
    assert_interrupted(
        Reply::stream().text("one").event(chunk::error("boom")),
        "UPSTREAM_ERROR",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_event_with_done() {
    assert_interrupted(
        Reply::stream().text("one").event(chunk::error("boom")).done(),
        "UPSTREAM_ERROR",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_event_is_not_shown_as_it_came() {
    let message = "OpenAIException - Connection error at http://10.0.0.7:4000 with key sk-123";
    let error = assert_interrupted(
        Reply::stream().text("one").event(chunk::error(message)),
        "UPSTREAM_ERROR",
    )
    .await;
    let error = error.to_string();
    assert!(
        !error.contains("10.0.0.7") && !error.contains("sk-123"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_json() {
    assert_interrupted(
        Reply::stream().text("one").event("{\"choices\":[").end(),
        "UPSTREAM_ERROR",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_with_neither_done_nor_a_finish_reason() {
    assert_interrupted(Reply::stream().text("one"), UNFINISHED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_ten_megabytes() {
    let giant = chunk::text(&"x".repeat(10 * 1024 * 1024));
    assert_interrupted(Reply::stream().text("one").event(giant).end(), "UPSTREAM_ERROR").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finish_reason_without_done_is_a_whole_answer() {
    let server = TestServer::start().await;
    let (transcript, answer) = play(
        &server,
        Reply::stream().text("one").event(chunk::finish("length")),
    )
    .await;
    assert!(transcript.last().get("error").is_none(), "{transcript:#?}");
    assert_eq!(
        (answer["status"].as_str(), answer["finish_reason"].as_str()),
        (Some("completed"), Some("length"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn done_without_a_finish_reason_is_a_whole_answer() {
    let server = TestServer::start().await;
    let (transcript, answer) = play(&server, Reply::stream().text("one").done()).await;
    assert!(transcript.last().get("error").is_none(), "{transcript:#?}");
    assert_eq!(answer["status"], "completed");
}
