//! What a conversation holds after chatting.

use serde_json::{Value, json};

use super::{ask, ask_in, chat};
use crate::support::{Gate, MODEL, Reply, Store, TestServer, chunk, on_each_store};

on_each_store!(
    both_messages_are_stored,
    a_new_conversation_has_one_active_branch,
    the_users_message_is_stored_before_the_model_answers,
    thinking_and_tool_calls_are_stored,
    unstorable_text_from_a_model_becomes_a_replacement_character,
    the_title_is_the_beginning_of_the_first_answer,
    a_given_title_stays,
    going_on_elsewhere_than_at_the_head_forks_a_branch,
    going_on_at_the_head_stays_on_its_branch,
    a_named_branch_is_written_to,
    an_answer_survives_its_reader,
);

async fn both_messages_are_stored(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let transcript = chat(&user, &ask("Hi")).await;
    let full = user.full(&transcript.conversation()).await;
    let (question, answer) = (&full["messages"][0], &full["messages"][1]);
    assert_eq!(full["messages"].as_array().map(Vec::len), Some(2));
    assert_eq!(question["id"], transcript.first()["user_message_id"]);
    assert_eq!(
        (&question["role"], &question["content"]),
        (&json!("user"), &json!("Hi"))
    );
    assert_eq!(question["parent_id"], Value::Null);
    assert_eq!(answer["id"], transcript.message());
    assert_eq!(
        (&answer["role"], &answer["content"]),
        (&json!("assistant"), &json!("Hello there!"))
    );
    assert_eq!(answer["parent_id"], question["id"]);
    assert_eq!(answer["status"], "completed");
    assert_eq!(answer["finish_reason"], "stop");
    assert_eq!(answer["model"], MODEL);
    assert_eq!(answer["usage"]["prompt_tokens"], 5);
    assert_eq!(answer["usage"]["completion_tokens"], 3);
    assert!(answer["latency_ms"].is_number(), "{answer}");
    assert!(answer["time_to_first_token_ms"].is_number(), "{answer}");
}

async fn a_new_conversation_has_one_active_branch(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let transcript = chat(&user, &ask("Hi")).await;
    let full = user.full(&transcript.conversation()).await;
    let branch = &full["branches"][0];
    assert_eq!(full["branches"].as_array().map(Vec::len), Some(1));
    assert_eq!(branch["id"], transcript.first()["branch_id"]);
    assert_eq!(
        (&branch["name"], &branch["is_main"], &branch["is_active"]),
        (&json!("Main"), &json!(true), &json!(true))
    );
    assert_eq!(branch["head_message_id"], transcript.message());
    assert_eq!(full["conversation"]["active_branch_id"], branch["id"]);
    assert_eq!(full["conversation"]["message_count"], 2);
}

async fn the_users_message_is_stored_before_the_model_answers(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::held(&gate, Reply::answer(["Hi"]))]);
    let conversation = user.new_conversation(&json!({})).await;
    let body = ask_in(&conversation, "Hi");
    let (transcript, ()) = tokio::join!(chat(&user, &body), async {
        server.upstream.wait_for_chats(1).await;
        let messages = user.messages(&conversation).await;
        assert_eq!(messages[0]["content"], "Hi");
        gate.open();
    });
    assert_eq!(transcript.text(), "Hi");
}

async fn thinking_and_tool_calls_are_stored(store: Store) {
    let server = TestServer::on(store).await;
    let reply = Reply::stream()
        .event(chunk::reasoning("Let me "))
        .event(chunk::reasoning("see."))
        .event(chunk::tool_call(Some("call_1"), "{\"city\":"))
        .event(chunk::tool_call(None, "\"Ulm\"}"))
        .event(chunk::finish("tool_calls"))
        .event(chunk::usage(1, 1))
        .done();
    server.upstream.script(MODEL, [reply]);
    let user = server.user();
    let transcript = chat(&user, &ask("Weather?")).await;
    let answer = &user.messages(&transcript.conversation()).await[1];
    assert_eq!(answer["finish_reason"], "tool_calls");
    assert_eq!(answer["reasoning"], "Let me see.");
    assert_eq!(answer["tool_calls"][0]["id"], "call_1");
    assert_eq!(answer["tool_calls"][0]["function"]["name"], "weather");
    assert_eq!(
        answer["tool_calls"][0]["function"]["arguments"],
        "{\"city\":\"Ulm\"}"
    );
}

async fn unstorable_text_from_a_model_becomes_a_replacement_character(store: Store) {
    let server = TestServer::on(store).await;
    let chunk = r#"{"choices":[{"index":0,"delta":{"content":"a\u0000b\ud83dc"}}]}"#;
    server
        .upstream
        .script(MODEL, [Reply::stream().event(chunk).end()]);
    let user = server.user();
    let transcript = chat(&user, &ask("Hi")).await;
    let messages = user.messages(&transcript.conversation()).await;
    assert_eq!(messages[1]["content"], "a\u{fffd}b\u{fffd}c");
}

async fn the_title_is_the_beginning_of_the_first_answer(store: Store) {
    let server = TestServer::on(store).await;
    let answer = "The quick brown fox jumps over the lazy dog and goes on running";
    server
        .upstream
        .script(MODEL, [Reply::answer([answer]), Reply::answer(["Another text"])]);
    let user = server.user();
    let conversation = chat(&user, &ask("Hi")).await.conversation();
    chat(&user, &ask_in(&conversation, "And?")).await;
    let title = user.full(&conversation).await["conversation"]["title"].take();
    let title = title.as_str().expect("a title").trim_end_matches('…');
    assert_eq!(
        title.trim_end(),
        "The quick brown fox jumps over the lazy dog and"
    );
}

async fn a_given_title_stays(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = user.new_conversation(&json!({"title": "Mine"})).await;
    chat(&user, &ask_in(&conversation, "Hi")).await;
    assert_eq!(user.full(&conversation).await["conversation"]["title"], "Mine");
}

async fn going_on_elsewhere_than_at_the_head_forks_a_branch(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let first = chat(&user, &ask("one")).await;
    let conversation = first.conversation();
    chat(&user, &ask_in(&conversation, "two")).await;

    let mut body = ask_in(&conversation, "another two");
    body["parent_message_id"] = json!(first.message());
    let fork = chat(&user, &body).await;

    assert_ne!(fork.first()["branch_id"], first.first()["branch_id"]);
    let sent: Vec<_> = server
        .upstream
        .last_chat()
        .messages()
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(sent, ["one", "Hello there!", "another two"]);
    let full = user.full(&conversation).await;
    assert_eq!(full["messages"].as_array().map(Vec::len), Some(6));
    assert_eq!(full["branches"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        full["conversation"]["active_branch_id"],
        fork.first()["branch_id"]
    );
}

async fn going_on_at_the_head_stays_on_its_branch(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let first = chat(&user, &ask("one")).await;
    let mut body = ask_in(&first.conversation(), "two");
    body["parent_message_id"] = json!(first.message());
    let second = chat(&user, &body).await;
    assert_eq!(second.first()["branch_id"], first.first()["branch_id"]);
}

async fn a_named_branch_is_written_to(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let first = chat(&user, &ask("one")).await;
    let conversation = first.conversation();
    chat(&user, &ask_in(&conversation, "two")).await;
    let mut fork = ask_in(&conversation, "another two");
    fork["parent_message_id"] = json!(first.message());
    chat(&user, &fork).await;

    let mut body = ask_in(&conversation, "three");
    body["branch_id"] = first.first()["branch_id"].clone();
    chat(&user, &body).await;

    let sent: Vec<_> = server
        .upstream
        .last_chat()
        .messages()
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(sent, ["one", "Hello there!", "two", "Hello there!", "three"]);
}

async fn an_answer_survives_its_reader(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let gate = Gate::new();
    server.upstream.script(
        MODEL,
        [Reply::stream().text("one").wait(&gate).text(" two").end()],
    );
    let mut stream = user.chat_stream(&ask("Hi")).await;
    let first = stream.next().await.expect("the first chunk").json();
    drop(stream);
    gate.open();
    let conversation = first["conversation_id"].as_str().expect("an id");
    let answer = crate::support::eventually("the stored answer", async || {
        let messages = user.messages(conversation).await;
        messages
            .into_iter()
            .find(|message| message["status"] == "completed" && message["role"] == "assistant")
    })
    .await;
    assert_eq!(answer["content"], "one two");
}
