//! What the model is sent.

use serde_json::{Value, json};

use super::{ask, ask_in, chat};
use crate::support::server::UPSTREAM_KEY;
use crate::support::{Answer, Client, MODEL, Reply, Store, TestServer, on_each_store};

on_each_store!(
    later_turns_bring_the_earlier_ones,
    a_system_message_is_for_one_answer,
    a_conversations_system_message_is_for_all_its_answers,
    only_the_newest_messages_are_sent,
    adjacent_messages_of_one_role_are_joined,
    a_temperature_of_zero_is_sent_as_zero,
    what_was_not_given_is_not_sent,
    openais_parameters_are_passed_on_as_given,
    the_token_limit_has_a_default_and_follows_the_request,
    the_model_comes_from_request_conversation_or_setting,
    content_parts_are_sent_as_parts,
    the_model_server_is_told_who_asks_with_our_key,
    unstreamed_answers_are_not_streamed_from_the_model_either,
    tool_results_answer_the_tool_calls,
);

/// Chats and tells the body that the model server got.
async fn sent(server: &TestServer, user: &Client, body: &Value) -> Value {
    chat(user, body).await;
    server.upstream.last_chat().json()
}

fn pairs<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected
        .map(|(role, content)| (role.to_owned(), content.to_owned()))
        .into()
}

async fn later_turns_bring_the_earlier_ones(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = chat(&user, &ask("one")).await.conversation();
    chat(&user, &ask_in(&conversation, "two")).await;
    let expected = pairs([("user", "one"), ("assistant", "Hello there!"), ("user", "two")]);
    assert_eq!(server.upstream.last_chat().messages(), expected);
}

async fn a_system_message_is_for_one_answer(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let mut body = ask("one");
    body["system_message"] = json!("Be brief.");
    let conversation = chat(&user, &body).await.conversation();
    let expected = pairs([("system", "Be brief."), ("user", "one")]);
    assert_eq!(server.upstream.last_chat().messages(), expected);
    chat(&user, &ask_in(&conversation, "two")).await;
    assert_eq!(server.upstream.last_chat().messages()[0].0, "user");
}

async fn a_conversations_system_message_is_for_all_its_answers(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = user
        .new_conversation(&json!({"system_message": "Be kind."}))
        .await;
    for text in ["one", "two"] {
        chat(&user, &ask_in(&conversation, text)).await;
        let first = server.upstream.last_chat().messages().remove(0);
        assert_eq!(first, ("system".to_owned(), "Be kind.".to_owned()));
    }
}

async fn only_the_newest_messages_are_sent(store: Store) {
    let server = TestServer::on_with(store, [("MAX_CONTEXT_MESSAGES", "3")]).await;
    let user = server.user();
    let conversation = user
        .new_conversation(&json!({"system_message": "Be kind."}))
        .await;
    for text in ["one", "two", "three"] {
        chat(&user, &ask_in(&conversation, text)).await;
    }
    let expected = pairs([
        ("system", "Be kind."),
        ("user", "two"),
        ("assistant", "Hello there!"),
        ("user", "three"),
    ]);
    assert_eq!(server.upstream.last_chat().messages(), expected);
}

async fn adjacent_messages_of_one_role_are_joined(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let refusal = Reply::error(400, "invalid_request_error", "not today");
    server.upstream.script(MODEL, [refusal, Reply::answer(["Hi"])]);
    let conversation = user.new_conversation(&json!({})).await;
    user.chat(&ask_in(&conversation, "first try"))
        .await
        .error(422, "UPSTREAM_REJECTED");
    chat(&user, &ask_in(&conversation, "second try")).await;
    let sent = server.upstream.last_chat().messages();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(
        sent[0].1.starts_with("first try") && sent[0].1.ends_with("second try"),
        "{sent:?}"
    );
    let stored = user.messages(&conversation).await;
    let asked = stored
        .iter()
        .filter(|message| message["role"] == "user")
        .map(|message| &message["content"]);
    assert!(asked.eq(["first try", "second try"]), "{stored:?}");
}

async fn a_temperature_of_zero_is_sent_as_zero(store: Store) {
    let server = TestServer::on(store).await;
    let body = json!({"model": MODEL, "message": "Hi", "temperature": 0});
    let sent = sent(&server, &server.user(), &body).await;
    assert_eq!(sent["temperature"].as_f64(), Some(0.0), "{sent}");
}

async fn what_was_not_given_is_not_sent(store: Store) {
    let server = TestServer::on(store).await;
    let sent = sent(&server, &server.user(), &ask("Hi")).await;
    for name in [
        "temperature",
        "top_p",
        "stop",
        "seed",
        "tools",
        "tool_choice",
        "response_format",
    ] {
        assert!(sent.get(name).is_none(), "{name} in {sent}");
    }
    for ours in [
        "message",
        "conversation_id",
        "branch_id",
        "system_message",
        "parent_message_id",
    ] {
        assert!(sent.get(ours).is_none(), "{ours} in {sent}");
    }
}

async fn openais_parameters_are_passed_on_as_given(store: Store) {
    let server = TestServer::on(store).await;
    let given = json!({
        "top_p": 0.5,
        "stop": ["\n", "END"],
        "presence_penalty": -1.5,
        "frequency_penalty": 1,
        "seed": 42,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
    });
    let mut body = ask("Hi");
    body.as_object_mut()
        .expect("an object")
        .extend(given.as_object().expect("an object").clone());
    let sent = sent(&server, &server.user(), &body).await;
    for (name, value) in given.as_object().expect("an object") {
        assert_eq!(&sent[name], value, "{name}");
    }
}

async fn the_token_limit_has_a_default_and_follows_the_request(store: Store) {
    let server = TestServer::on_with(store, [("DEFAULT_MAX_TOKENS", "77")]).await;
    let user = server.user();
    assert_eq!(sent(&server, &user, &ask("Hi")).await["max_tokens"], 77);
    let body = json!({"model": MODEL, "message": "Hi", "max_tokens": 5});
    assert_eq!(sent(&server, &user, &body).await["max_tokens"], 5);
}

async fn the_model_comes_from_request_conversation_or_setting(store: Store) {
    let server = TestServer::on_with(store, [("DEFAULT_MODEL", "the-default")]).await;
    let user = server.user();
    assert_eq!(
        sent(&server, &user, &json!({"message": "Hi"})).await["model"],
        "the-default"
    );
    let conversation = user
        .new_conversation(&json!({"model": "the-conversations"}))
        .await;
    let mut body = json!({"message": "Hi", "conversation_id": conversation});
    assert_eq!(sent(&server, &user, &body).await["model"], "the-conversations");
    body["model"] = json!("the-requests");
    assert_eq!(sent(&server, &user, &body).await["model"], "the-requests");
}

async fn content_parts_are_sent_as_parts(store: Store) {
    let server = TestServer::on(store).await;
    let parts = json!([
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]);
    let body = json!({"model": MODEL, "message": parts});
    let sent = sent(&server, &server.user(), &body).await;
    assert_eq!(sent["messages"][0]["content"], parts);
}

async fn the_model_server_is_told_who_asks_with_our_key(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let request = user
        .request(reqwest::Method::POST, "/v1/chat/completions")
        .header("x-request-id", "req-1");
    assert_eq!(Answer::to(request.json(&ask("Hi"))).await.status, 200);
    let chat = server.upstream.last_chat();
    assert_eq!(chat.header("authorization"), format!("Bearer {UPSTREAM_KEY}"));
    assert_eq!(chat.header("x-litellm-call-id"), "req-1");
    assert_eq!(chat.header("x-litellm-num-retries"), "0");
    assert_eq!(chat.header("anthropic-version"), "");
    let body = chat.json();
    assert_eq!(body["user"], user.user.to_string());
    assert_eq!(body["stream"], true);
    assert_eq!(body["stream_options"]["include_usage"], true);
    assert!(body.get("client_version").is_none());
}

async fn unstreamed_answers_are_not_streamed_from_the_model_either(store: Store) {
    let server = TestServer::on(store).await;
    let body = json!({"model": MODEL, "message": "Hi", "stream": false});
    assert_eq!(server.user().chat(&body).await.status, 200);
    let sent = server.upstream.last_chat().json();
    assert_ne!(sent["stream"], true);
    assert!(sent.get("stream_options").is_none(), "{sent}");
}

async fn tool_results_answer_the_tool_calls(store: Store) {
    let server = TestServer::on(store).await;
    let call = crate::support::chunk::tool_call(Some("call_1"), "{}");
    server.upstream.script(
        MODEL,
        [Reply::stream().event(call).end(), Reply::answer(["Sunny"])],
    );
    let user = server.user();
    let conversation = chat(&user, &ask("Weather?")).await.conversation();
    let body = json!({
        "model": MODEL,
        "conversation_id": conversation,
        "tool_results": [{"tool_call_id": "call_1", "content": "sun"}],
    });
    assert_eq!(chat(&user, &body).await.text(), "Sunny");
    let sent = server.upstream.last_chat().json();
    assert_eq!(sent["messages"][1]["tool_calls"][0]["id"], "call_1");
    assert_eq!(
        sent["messages"][2],
        json!({"role": "tool", "tool_call_id": "call_1", "content": "sun"})
    );
}
