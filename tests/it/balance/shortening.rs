//! Answers are as long as the balance covers.

use serde_json::{Value, json};

use super::{CHAT, balance, nano, server};
use crate::support::{Client, Gate, MODEL, Reply, Store, TestServer, on_each_store};

on_each_store!(
    an_answer_is_shortened_to_what_is_left,
    who_names_no_limit_gets_what_is_left,
    both_names_of_the_limit_are_heeded,
    several_choices_share_what_is_left,
    with_enough_nothing_is_changed,
    what_is_no_limit_is_refused,
    a_limit_that_is_null_is_none,
);

/// The request that the model got while it holds back its answer.
async fn sent(server: &TestServer, user: &Client, body: &Value) -> (Value, i64) {
    let gate = Gate::new();
    let reply = Reply::held(&gate, Reply::completion("Hi"));
    server.upstream.script(MODEL, [reply]);
    let before = server.upstream.chats().len();
    let asking = user.chat(body);
    let looking = async {
        server.upstream.wait_for_chats(before + 1).await;
        let reserved = nano(&balance(user).await["reserved"]);
        gate.open();
        reserved
    };
    let (answer, reserved) = tokio::join!(asking, looking);
    assert_eq!(answer.status, 200, "{answer:?}");
    (server.upstream.last_chat().json(), reserved)
}

fn hi(more: &Value) -> Value {
    let mut body = json!({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// What the messages of [`hi`] come to at most: a token for each byte, and 16 for the message.
const INPUT: i64 = 32 + 16;

/// A balance that covers the input and this many tokens.
fn covering(output: i64) -> String {
    format!("0.{:09}", INPUT * 1_000 + output * 2_000 + 1_999)
}

async fn an_answer_is_shortened_to_what_is_left(store: Store) {
    let server = server(store, &covering(20)).await;
    let user = server.user();
    let (request, reserved) = sent(&server, &user, &hi(&json!({"max_tokens": 50}))).await;
    assert_eq!(request["max_tokens"], 20);
    assert_eq!(reserved, INPUT * 1_000 + 20 * 2_000 + 1_999, "all that is left");
    let user = server.user();
    let body = json!({"model": MODEL, "message": "Hi", "stream": false});
    let (request, _) = sent(&server, &user, &body).await;
    // Here the message alone counts: 2 bytes instead of 32, at half the price of what is written.
    assert_eq!(request["max_tokens"], 20 + 30 / 2);
}

async fn who_names_no_limit_gets_what_is_left(store: Store) {
    let server = server(store, &covering(33)).await;
    let (request, _) = sent(&server, &server.user(), &hi(&json!({}))).await;
    assert_eq!(request["max_tokens"], 33);
}

async fn both_names_of_the_limit_are_heeded(store: Store) {
    let server = server(store, &covering(20)).await;
    let (request, _) = sent(
        &server,
        &server.user(),
        &hi(&json!({"max_completion_tokens": 90})),
    )
    .await;
    assert_eq!(
        (&request["max_completion_tokens"], &request["max_tokens"]),
        (&json!(20), &Value::Null)
    );
    let both = hi(&json!({"max_completion_tokens": 90, "max_tokens": 10}));
    let (request, _) = sent(&server, &server.user(), &both).await;
    assert_eq!(
        (&request["max_completion_tokens"], &request["max_tokens"]),
        (&json!(20), &json!(10))
    );
}

async fn several_choices_share_what_is_left(store: Store) {
    let server = server(store, &covering(20)).await;
    let (request, _) = sent(&server, &server.user(), &hi(&json!({"max_tokens": 50, "n": 4}))).await;
    assert_eq!(request["max_tokens"], 5);
}

async fn with_enough_nothing_is_changed(store: Store) {
    let server = server(store, "5").await;
    let user = server.user();
    let (request, reserved) = sent(&server, &user, &hi(&json!({}))).await;
    assert_eq!(request["max_tokens"], Value::Null, "the model's own limit counts");
    assert_eq!(reserved, INPUT * 1_000 + 5_000 * 2_000);
    let (request, reserved) = sent(&server, &user, &hi(&json!({"max_tokens": 7, "n": 3}))).await;
    assert_eq!(request["max_tokens"], 7);
    assert_eq!(reserved, INPUT * 1_000 + 3 * 7 * 2_000);
}

async fn what_is_no_limit_is_refused(store: Store) {
    let server = server(store, "5").await;
    let user = server.user();
    for (name, value) in [
        ("max_tokens", json!("many")),
        ("max_tokens", json!(0)),
        ("max_completion_tokens", json!(100.5)),
        ("n", json!(-1)),
        ("n", json!(129)),
    ] {
        let answer = user.post(CHAT, &hi(&json!({name: value}))).await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        assert_eq!(answer.json()["error"]["param"], name);
    }
    assert_eq!(server.upstream.chats().len(), 0);
}

async fn a_limit_that_is_null_is_none(store: Store) {
    let server = server(store, &covering(20)).await;
    let nothing = hi(&json!({"max_completion_tokens": null, "n": null}));
    let (request, _) = sent(&server, &server.user(), &nothing).await;
    let fields = request.as_object().expect("an object");
    assert_eq!(
        (
            &request["max_tokens"],
            fields.contains_key("max_completion_tokens")
        ),
        (&json!(20), false)
    );
}
