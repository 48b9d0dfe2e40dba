//! Streams that are framed oddly, and mean the same.

use super::ask;
use crate::support::{MODEL, Reply, TestServer, chunk};

/// What an answer of these chunks looks like in the plainest framing.
fn plain(chunks: &[String]) -> String {
    let events = chunks.iter().map(String::as_str).chain(["[DONE]"]);
    events.map(|data| format!("data: {data}\n\n")).collect()
}

fn chunks() -> Vec<String> {
    vec![chunk::text("ünï"), chunk::text("🙂"), chunk::finish("stop")]
}

/// Checks that the chunks arrive as they would in the plainest framing.
async fn assert_sound(reply: Reply, expected: &[String]) {
    let server = TestServer::start().await;
    server.upstream.script(MODEL, [reply]);
    let user = server.user();
    let transcript = user.chat_stream(&ask()).await.finish().await;
    assert_eq!(transcript.middle(), expected);
    let answer = &user.messages(&transcript.conversation()).await[1];
    assert_eq!(answer["content"], transcript.text());
    assert_eq!(answer["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_may_end_in_crlf_or_cr() {
    for ending in ["\r\n", "\r"] {
        let body = plain(&chunks()).replace('\n', ending);
        assert_sound(Reply::stream().bytes(body), &chunks()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_and_unknown_fields_are_passed_over() {
    let body = format!(
        ": ping\n\nevent: message\nid: 7\nretry: 10\n{}",
        plain(&chunks()).replace("\n\n", "\n\n: ping\n\n")
    );
    assert_sound(Reply::stream().bytes(body), &chunks()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_after_the_colon_is_optional() {
    assert_sound(
        Reply::stream().bytes(plain(&chunks()).replace("data: ", "data:")),
        &chunks(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_is_passed_over() {
    assert_sound(
        Reply::stream().bytes(format!("\u{feff}{}", plain(&chunks()))),
        &chunks(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_may_come_alone() {
    let body = plain(&chunks()).replace('\n', "\r\n");
    let reply = body
        .bytes()
        .fold(Reply::stream(), |reply, byte| reply.bytes([byte]));
    assert_sound(reply, &chunks()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_events_may_come_in_one_write() {
    assert_sound(Reply::stream().bytes(plain(&chunks())), &chunks()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_chunks_are_two_thousand_events() {
    let mut chunks: Vec<_> = (0..2_000).map(|n| chunk::text(&format!("{n} "))).collect();
    chunks.push(chunk::finish("stop"));
    assert_sound(Reply::stream().events(chunks.clone()).done(), &chunks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_may_come_in_either_shape_or_on_any_chunk() {
    let on_text = {
        let mut chunk: serde_json::Value = serde_json::from_str(&chunk::text("Hi")).expect("JSON");
        chunk["usage"] = serde_json::json!({"prompt_tokens": 8, "completion_tokens": 27, "total_tokens": 35});
        chunk.to_string()
    };
    let finish = chunk::finish("stop");
    for reply in [
        Reply::stream()
            .text("Hi")
            .event(&finish)
            .event(chunk::usage(8, 27)),
        Reply::stream()
            .text("Hi")
            .event(&finish)
            .event(chunk::usage_with_choice(8, 27, 0.5)),
        Reply::stream().event(on_text).event(&finish),
        Reply::stream()
            .event(chunk::usage(1, 1))
            .text("Hi")
            .event(&finish)
            .event(chunk::usage(8, 27)),
    ] {
        let server = TestServer::start().await;
        server.upstream.script(MODEL, [reply.clone().done()]);
        let transcript = server.user().chat_stream(&ask()).await.finish().await;
        assert_eq!(transcript.last()["usage"]["total_tokens"], 35, "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn litellms_note_of_a_fallback_is_not_shown() {
    let note = r#"{"id":"litellm-fallback-metadata","object":"chat.completion.chunk","choices":[]}"#;
    let reply = Reply::stream().event(note).events(chunks()).done();
    assert_sound(reply, &chunks()).await;
}
