//! Failures before the first byte that the client never sees: retries, fallbacks, the breaker.

use serde_json::json;

use super::{ask, ask_in};
use crate::support::{MODEL, Reply, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_is_tried_once_more_with_less() {
    let server = TestServer::start().await;
    let user = server.user();
    let conversation = user.new_conversation(&json!({})).await;
    for _ in 0..3 {
        user.chat_stream(&ask_in(&conversation)).await.finish().await;
    }
    let too_long = Reply::error(
        400,
        "invalid_request_error",
        "litellm.ContextWindowExceededError: too long",
    );
    server
        .upstream
        .script(MODEL, [too_long, Reply::answer(["short enough"])]);
    let transcript = user.chat_stream(&ask_in(&conversation)).await.finish().await;
    assert_eq!(transcript.text(), "short enough");
    let chats = server.upstream.chats();
    let [.., first, second] = chats.as_slice() else {
        panic!("two chats")
    };
    assert_eq!(first.messages().len(), 7);
    assert!(second.messages().len() < 7, "{:?}", second.messages());
    assert_eq!(
        second.messages().last(),
        first.messages().last(),
        "the question is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_stays_too_long_is_refused() {
    let server = TestServer::start().await;
    let user = server.user();
    let conversation = user
        .new_conversation(&json!({"system_message": "Be brief."}))
        .await;
    for _ in 0..3 {
        user.chat_stream(&ask_in(&conversation)).await.finish().await;
    }
    let before = server.upstream.chats().len();
    let too_long = Reply::error(400, "invalid_request_error", "context_length_exceeded");
    server.upstream.script(MODEL, [too_long]);
    let refused = user.chat(&ask_in(&conversation)).await;
    refused.error(422, "CONTEXT_LENGTH_EXCEEDED");

    let chats = server.upstream.chats();
    let [first, second] = &chats[before..] else {
        panic!("one more try: {chats:?}")
    };
    let (first, second) = (first.messages(), second.messages());
    assert_eq!((first.len(), second.len()), (8, 5), "the older half is left out");
    assert_eq!(second[0], first[0], "the system message is kept");
    assert_eq!(second[1..], first[4..], "and of the rest the newest");
    let messages = user.messages(&conversation).await;
    assert_eq!(messages.len(), 7, "the question stays");
    assert_eq!(messages[6]["role"], "user");

    server.upstream.script(MODEL, [Reply::answer(["again"])]);
    user.chat_stream(&ask_in(&conversation)).await.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_the_first_byte_is_retried() {
    let server = TestServer::start().await;
    for lost in [
        Reply::default().reset(),
        Reply::stream().cut(),
        Reply::stream().reset(),
    ] {
        server
            .upstream
            .script(MODEL, [lost.clone(), Reply::answer(["again"])]);
        let transcript = server.user().chat_stream(&ask()).await.finish().await;
        assert_eq!(transcript.text(), "again", "{lost:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_wait_is_waited_for() {
    let server = TestServer::start().await;
    let limited = Reply::error(429, "throttling_error", "slow down").header("retry-after", "1");
    server.upstream.script(MODEL, [limited, Reply::answer(["Hi"])]);
    let transcript = server.user().chat_stream(&ask()).await.finish().await;
    assert_eq!(transcript.text(), "Hi");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_succeeds_is_not_seen() {
    let server = TestServer::start().await;
    let failed = Reply::error(500, "internal_server_error", "boom");
    server
        .upstream
        .script(MODEL, [failed.clone(), failed, Reply::answer(["third time"])]);
    let user = server.user();
    let transcript = user.chat_stream(&ask()).await.finish().await;
    assert_eq!(transcript.text(), "third time");
    assert_eq!(user.messages(&transcript.conversation()).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_can_be_switched_off() {
    let server = TestServer::with([("LITELLM_MAX_RETRIES", "0")]).await;
    server
        .upstream
        .script(MODEL, [Reply::error(500, "internal_server_error", "boom")]);
    server.user().chat(&ask()).await.error(502, "UPSTREAM_ERROR");
    assert_eq!(server.upstream.chats().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_answers_instead() {
    let settings = [
        ("FALLBACK_MODELS", "test-model=second|third"),
        ("LITELLM_MAX_RETRIES", "0"),
    ];
    let server = TestServer::with(settings).await;
    for model in [MODEL, "second"] {
        server
            .upstream
            .script(model, [Reply::error(503, "None", "overloaded")]);
    }
    let user = server.user();
    let transcript = user.chat_stream(&ask()).await.finish().await;
    assert_eq!(transcript.text(), "Hello there!");
    let asked: Vec<_> = server.upstream.chats().iter().map(|chat| chat.model()).collect();
    assert_eq!(asked, [MODEL, "second", "third"]);
    assert_eq!(
        user.messages(&transcript.conversation()).await[1]["model"],
        "third"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_keeps_failing_is_left_alone() {
    let server = TestServer::with([("LITELLM_MAX_RETRIES", "0")]).await;
    server
        .upstream
        .script(MODEL, [Reply::error(500, "internal_server_error", "boom")]);
    let user = server.user();
    for _ in 0..20 {
        user.chat(&ask()).await.error(502, "UPSTREAM_ERROR");
    }
    let answer = user.chat(&ask()).await;
    answer.error(503, "UPSTREAM_UNAVAILABLE");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(server.upstream.chats().len(), 20, "the breaker is open");
    let other = json!({"model": "other-model", "message": "Hi"});
    user.chat_stream(&other).await.finish().await;
}
