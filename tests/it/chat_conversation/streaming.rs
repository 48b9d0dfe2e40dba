//! The events of a streamed answer.

use serde_json::json;
use uuid::Uuid;

use super::{ask, ask_in, chat};
use crate::support::client::{header, text};
use crate::support::{Gate, MODEL, Reply, Store, TestServer, chunk, on_each_store};

on_each_store!(
    the_headers_keep_proxies_from_buffering,
    the_first_chunk_names_the_ids,
    the_models_chunks_pass_unchanged_and_in_order,
    the_last_chunk_has_usage_and_ids,
    a_model_without_usage_is_counted_by_us,
    an_unknown_cost_is_null_not_zero,
    each_token_is_sent_when_it_comes,
    silence_is_filled_with_comments,
    a_slow_model_holds_the_head_for_ten_seconds_at_most,
    whoever_has_read_done_can_go_on_at_once,
    unstreamed_answers_are_completions_with_ids,
    nothing_of_the_model_servers_headers_is_passed_on,
);

async fn the_headers_keep_proxies_from_buffering(store: Store) {
    let server = TestServer::on(store).await;
    let stream = server.user().chat_stream(&ask("Hi")).await;
    assert_eq!(header(&stream.headers, "cache-control"), "no-cache, no-transform");
    assert_eq!(header(&stream.headers, "x-accel-buffering"), "no");
    assert!(stream.stream_id().parse::<Uuid>().is_ok());
    assert!(header(&stream.headers, "x-request-id").parse::<Uuid>().is_ok());
    stream.finish().await;
}

async fn the_first_chunk_names_the_ids(store: Store) {
    let server = TestServer::on(store).await;
    let stream = server.user().chat_stream(&ask("Hi")).await;
    let stream_id = stream.stream_id();
    let first = stream.finish().await.first();
    assert_eq!(first["choices"][0]["delta"], json!({"role": "assistant"}));
    assert_eq!(first["object"], "chat.completion.chunk");
    assert_eq!(first["stream_id"], stream_id);
    for id in ["conversation_id", "branch_id", "user_message_id"] {
        assert!(text(&first[id]).parse::<Uuid>().is_ok(), "{id} in {first}");
    }
}

async fn the_models_chunks_pass_unchanged_and_in_order(store: Store) {
    let server = TestServer::on(store).await;
    let odd = r#"{"id": "c1",  "object":"chat.completion.chunk","created":1e9,"model":"m","score":1.0,"big":12345678901234567890123,"choices":[{"index":0,"delta":{"content":"caf\u00e9 \/ 🙂"}}]}"#;
    let chunks = [
        odd.to_owned(),
        chunk::reasoning("hmm"),
        chunk::tool_call(Some("call_1"), ""),
        chunk::tool_call(None, "{\"city\":"),
        chunk::text("Hi"),
        chunk::finish("tool_calls"),
    ];
    let reply = Reply::stream()
        .events(chunks.clone())
        .event(chunk::usage(5, 3))
        .done();
    server.upstream.script(MODEL, [reply]);
    let transcript = chat(&server.user(), &ask("Hi")).await;
    assert_eq!(transcript.middle(), chunks);
}

async fn the_last_chunk_has_usage_and_ids(store: Store) {
    let server = TestServer::on(store).await;
    let reply = Reply::stream().text("Hi").event(chunk::finish("stop"));
    let reply = reply.event(chunk::usage_with_choice(8, 27, 0.000_017_4)).done();
    server.upstream.script(MODEL, [reply]);
    let transcript = chat(&server.user(), &ask("Hi")).await;
    let (first, last) = (transcript.first(), transcript.last());
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["prompt_tokens"], 8);
    assert_eq!(last["usage"]["completion_tokens"], 27);
    assert_eq!(last["usage"]["total_tokens"], 35);
    assert_eq!(last["usage"]["cost_usd"], 0.000_017_4);
    for id in ["conversation_id", "branch_id", "user_message_id", "stream_id"] {
        assert_eq!(last[id], first[id], "{id}");
    }
    assert!(text(&last["message_id"]).parse::<Uuid>().is_ok(), "{last}");
}

async fn a_model_without_usage_is_counted_by_us(store: Store) {
    let server = TestServer::on(store).await;
    server.upstream.script(
        MODEL,
        [Reply::stream().text("Hi").event(chunk::finish("stop")).done()],
    );
    let last = chat(&server.user(), &ask("Hi")).await.last();
    assert_eq!(last["usage"]["estimated"], true);
    assert!(
        last["usage"]["completion_tokens"]
            .as_u64()
            .is_some_and(|count| count > 0),
        "{last}"
    );
}

async fn an_unknown_cost_is_null_not_zero(store: Store) {
    let server = TestServer::on(store).await;
    let last = chat(&server.user(), &ask("Hi")).await.last();
    assert!(last["usage"]["cost_usd"].is_null(), "{last}");
}

async fn each_token_is_sent_when_it_comes(store: Store) {
    let server = TestServer::on(store).await;
    let gate = Gate::new();
    let reply = Reply::stream()
        .text("one")
        .wait(&gate)
        .text("two")
        .wait(&gate)
        .end();
    server.upstream.script(MODEL, [reply]);
    let mut stream = server.user().chat_stream(&ask("Hi")).await;
    stream.until_text("one").await;
    gate.open();
    stream.until_text("two").await;
    gate.open();
    stream.finish().await;
}

async fn silence_is_filled_with_comments(store: Store) {
    let server = TestServer::on_with(store, [("SSE_KEEPALIVE_SECONDS", "1")]).await;
    let gate = Gate::new();
    let reply = Reply::stream().text("one").wait(&gate).text("two").end();
    server.upstream.script(MODEL, [reply]);
    let mut stream = server.user().chat_stream(&ask("Hi")).await;
    stream.until_text("one").await;
    // The next event comes only when the gate opens, and it opens when a comment was seen.
    let seen = stream.until_comment().await;
    assert_eq!(seen, "keep-alive");
    gate.open();
    stream.finish().await;
}

async fn a_slow_model_holds_the_head_for_ten_seconds_at_most(store: Store) {
    let server = TestServer::on_with(store, [("SSE_KEEPALIVE_SECONDS", "1")]).await;
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::held(&gate, Reply::answer(["at last"]))]);
    let mut stream = server.user().chat_stream(&ask("Hi")).await;
    assert_eq!(stream.until_comment().await, "keep-alive");
    gate.open();
    assert_eq!(stream.finish().await.text(), "at last");
}

async fn whoever_has_read_done_can_go_on_at_once(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = chat(&user, &ask("turn 0")).await.conversation();
    for turn in 1..6 {
        let transcript = chat(&user, &ask_in(&conversation, &format!("turn {turn}"))).await;
        assert_eq!(user.messages(&conversation).await.len(), 2 * (turn + 1));
        assert_eq!(transcript.conversation(), conversation);
    }
}

async fn unstreamed_answers_are_completions_with_ids(store: Store) {
    let server = TestServer::on(store).await;
    let reply = Reply::completion("Hello!").header("x-litellm-response-cost", "1.5e-06");
    server.upstream.script(MODEL, [reply]);
    let user = server.user();
    let answer = user
        .chat(&json!({"model": MODEL, "message": "Hi", "stream": false}))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "Hello!");
    assert_eq!(body["usage"]["total_tokens"], 8);
    for id in ["conversation_id", "branch_id", "message_id", "user_message_id"] {
        assert!(text(&body[id]).parse::<Uuid>().is_ok(), "{id} in {body}");
    }
    let messages = user.messages(&text(&body["conversation_id"])).await;
    assert_eq!(messages[1]["id"], body["message_id"]);
    assert_eq!(messages[1]["usage"]["cost_usd"], 1.5e-6);
}

async fn nothing_of_the_model_servers_headers_is_passed_on(store: Store) {
    let server = TestServer::on(store).await;
    let reply = Reply::answer(["Hi"])
        .header("x-litellm-model-api-base", "http://internal:4000")
        .header("x-litellm-key-spend", "1.0")
        .header("llm_provider-x-request-id", "abc")
        .header("set-cookie", "session=1");
    server.upstream.script(MODEL, [reply]);
    let stream = server.user().chat_stream(&ask("Hi")).await;
    for name in [
        "x-litellm-model-api-base",
        "x-litellm-key-spend",
        "llm_provider-x-request-id",
        "set-cookie",
    ] {
        assert_eq!(header(&stream.headers, name), "", "{name}");
    }
    stream.finish().await;
}
