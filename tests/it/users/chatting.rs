//! Conversation chat goes by the preferences of its user, where neither the request nor the conversation says otherwise.

use serde_json::{Value, json};

use super::PREFERENCES;
use crate::support::client::text;
use crate::support::{Client, MODEL, Store, TestServer, on_each_store};

on_each_store!(
    preferences_say_what_a_request_does_not,
    what_is_nearer_wins,
    only_as_many_messages_as_preferred_are_sent,
    regenerating_goes_by_them_too,
    openai_compatible_chat_does_not,
    preferences_are_read_once,
);

async fn prefer(user: &Client, preferences: &Value) {
    user.patch(PREFERENCES, preferences).await.data(200);
}

/// Chats and tells the body that the model server got, and the whole answer.
async fn sent(server: &TestServer, user: &Client, body: &Value) -> (Value, Value) {
    let answer = user.chat(body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    (server.upstream.last_chat().json(), answer.json())
}

async fn preferences_say_what_a_request_does_not(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let preferences = json!({
        "default_model": "users-model", "default_temperature": 0.25, "default_max_tokens": 77,
        "enable_streaming": false, "custom_system_message": "Be brief.",
    });
    prefer(&user, &preferences).await;
    let (body, answer) = sent(&server, &user, &json!({"message": "Hi"})).await;
    assert_eq!(body["model"], "users-model");
    assert_eq!(
        (&body["temperature"], &body["max_tokens"]),
        (&json!(0.25), &json!(77))
    );
    assert_eq!(
        body["messages"],
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
    );
    assert_eq!(answer["object"], "chat.completion", "not a stream");
    let conversation = text(&answer["conversation_id"]);
    let shown = user
        .get(&format!("/v1/conversations/{conversation}"))
        .await
        .data(200);
    assert_eq!(
        shown["model"],
        Value::Null,
        "a preference is no choice for the conversation"
    );
}

async fn what_is_nearer_wins(store: Store) {
    let server = TestServer::on_with(store, [("DEFAULT_MODEL", "settings-model")]).await;
    let user = server.user();
    let (body, _) = sent(&server, &user, &json!({"message": "Hi", "stream": false})).await;
    assert_eq!(body["model"], "settings-model");
    let preferences = json!({
        "default_model": "users-model", "default_temperature": 0.25, "default_max_tokens": 77,
        "enable_streaming": true, "custom_system_message": "Be brief.",
    });
    prefer(&user, &preferences).await;
    let conversation = user
        .new_conversation(&json!({"model": "conversations-model", "system_message": "Be kind."}))
        .await;
    let in_conversation = json!({"message": "Hi", "stream": false, "conversation_id": conversation});
    let (body, _) = sent(&server, &user, &in_conversation).await;
    assert_eq!(body["model"], "conversations-model");
    assert_eq!(body["messages"][0]["content"], "Be kind.");
    assert_eq!(
        (&body["temperature"], &body["max_tokens"]),
        (&json!(0.25), &json!(77))
    );
    let mut request = in_conversation.clone();
    for (name, value) in [
        ("model", json!("requests-model")),
        ("temperature", json!(1.0)),
        ("max_tokens", json!(5)),
        ("system_message", json!("Be quick.")),
    ] {
        request[name] = value;
    }
    let (body, _) = sent(&server, &user, &request).await;
    assert_eq!(body["model"], "requests-model");
    assert_eq!(body["messages"][0]["content"], "Be quick.");
    assert_eq!(
        (&body["temperature"], &body["max_tokens"]),
        (&json!(1.0), &json!(5))
    );
}

async fn only_as_many_messages_as_preferred_are_sent(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    prefer(
        &user,
        &json!({"max_context_messages": 3, "enable_streaming": false}),
    )
    .await;
    let (_, first) = sent(&server, &user, &json!({"message": "one", "model": MODEL})).await;
    let conversation = &first["conversation_id"];
    for message in ["two", "three"] {
        let body = json!({"message": message, "model": MODEL, "conversation_id": conversation});
        sent(&server, &user, &body).await;
    }
    let messages = server.upstream.last_chat().messages();
    let messages: Vec<_> = messages.iter().map(|(_, content)| content.as_str()).collect();
    assert_eq!(messages, ["two", "Hello there!", "three"]);
}

async fn regenerating_goes_by_them_too(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let (_, first) = sent(
        &server,
        &user,
        &json!({"message": "Hi", "model": MODEL, "stream": false}),
    )
    .await;
    prefer(
        &user,
        &json!({"enable_streaming": false, "default_max_tokens": 9, "default_model": "users-model"}),
    )
    .await;
    let path = format!(
        "/v1/conversations/{}/messages/{}/regenerate",
        text(&first["conversation_id"]),
        text(&first["message_id"])
    );
    let answer = user.post(&path, &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["object"], "chat.completion");
    let body = server.upstream.last_chat().json();
    assert_eq!((&body["max_tokens"], &body["model"]), (&json!(9), &json!(MODEL)));
}

async fn openai_compatible_chat_does_not(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    prefer(
        &user,
        &json!({"default_temperature": 0.25, "custom_system_message": "Be brief."}),
    )
    .await;
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let (body, _) = sent(&server, &user, &json!({"model": MODEL, "messages": messages})).await;
    assert_eq!(body["messages"], messages);
    assert!(body.get("temperature").is_none(), "{body}");
}

async fn preferences_are_read_once(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    prefer(&user, &json!({"enable_streaming": false, "default_model": MODEL})).await;
    let body = json!({"message": "Hi"});
    sent(&server, &user, &body).await;
    if store == Store::Postgres {
        // What others write there is not heard of without Redis: nothing is believed for more than a second.
        return;
    }
    let counted = async |result: &str| {
        let metrics = user.get("/metrics").await.text();
        let labels = format!(r#"backend="memory",namespace="profile",operation="get",result="{result}""#);
        let name = format!("cache_operations_total{{{labels}}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&*name));
        line.map_or(0, |count| count.parse().expect("a count"))
    };
    let before = (counted("hit").await, counted("miss").await);
    for _ in 0..3 {
        sent(&server, &user, &body).await;
    }
    assert_eq!(
        (counted("hit").await, counted("miss").await),
        (before.0 + 3, before.1),
        "chatting changes no profile"
    );
}
