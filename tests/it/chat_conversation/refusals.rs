//! What conversation chat does not accept: bad input changes nothing and reaches no model.

use serde_json::{Value, json};

use super::{ask, ask_in, chat};
use crate::support::client::text;
use crate::support::{Client, Gate, MODEL, Reply, Store, TestServer, on_each_store, token};

on_each_store!(
    every_field_is_checked,
    bounds_themselves_are_accepted,
    a_body_must_be_one_of_the_two_kinds,
    without_any_model_the_field_is_named,
    a_foreign_conversation_looks_like_none,
    a_branch_or_parent_must_be_of_the_conversation,
    one_answer_at_a_time_per_branch_head,
    of_two_answers_at_once_one_is_refused,
    branches_are_limited,
    messages_are_limited,
);

/// An ordinary request with one field set.
fn ask_with(field: &str, value: Value) -> Value {
    let mut body = ask("Hi");
    body[field] = value;
    body
}

async fn every_field_is_checked(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for (field, value) in [
        ("message", json!("")),
        ("message", json!(5)),
        ("message", json!([])),
        ("message", json!("x".repeat(32_001))),
        ("model", json!("")),
        ("model", json!("m".repeat(101))),
        ("model", json!(5)),
        ("stream", json!("yes")),
        ("temperature", json!(-0.1)),
        ("temperature", json!(2.1)),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(-1)),
        ("max_tokens", json!(32_769)),
        ("max_tokens", json!(1.5)),
        ("system_message", json!("x".repeat(8_001))),
        ("conversation_id", json!("42")),
        ("branch_id", json!(42)),
        ("parent_message_id", json!("")),
    ] {
        let answer = user.chat(&ask_with(field, value.clone())).await;
        assert_eq!(
            answer.status,
            422,
            "{field} = {:.40}: {answer:?}",
            value.to_string()
        );
        assert_eq!(answer.invalid_fields(), [field]);
    }
    assert_eq!(server.upstream.chats().len(), 0);
    assert_eq!(user.get("/v1/conversations").await.data(200)["items"], json!([]));
}

async fn bounds_themselves_are_accepted(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for (field, value) in [
        ("message", json!("ü".repeat(32_000))),
        ("model", json!("m".repeat(100))),
        ("temperature", json!(2)),
        ("max_tokens", json!(32_768)),
        ("system_message", json!("x".repeat(8_000))),
    ] {
        chat(&user, &ask_with(field, value)).await;
    }
}

async fn a_body_must_be_one_of_the_two_kinds(store: Store) {
    let server = TestServer::on(store).await;
    let messages = json!([{"role": "user", "content": "Hi"}]);
    for body in [
        json!({"model": MODEL}),
        json!({}),
        json!({"model": MODEL, "message": "Hi", "messages": messages}),
    ] {
        server.user().chat(&body).await.error(422, "VALIDATION_ERROR");
    }
}

async fn without_any_model_the_field_is_named(store: Store) {
    let server = TestServer::on(store).await;
    let answer = server.user().chat(&json!({"message": "Hi"})).await;
    assert_eq!(answer.invalid_fields(), ["model"]);
}

async fn a_foreign_conversation_looks_like_none(store: Store) {
    let server = TestServer::on(store).await;
    let theirs = chat(&server.user(), &ask("Hi")).await;
    let me = server.user();
    let missing = token::new_uuid().to_string();
    let foreign = refusal(&me, &theirs.conversation()).await;
    assert_eq!(foreign, refusal(&me, &missing).await);
}

/// The body of the refusal without its ids.
async fn refusal(user: &Client, conversation: &str) -> String {
    let answer = user.chat(&ask_in(conversation, "Hi")).await;
    let error = answer.error(404, "CONVERSATION_NOT_FOUND");
    answer
        .text()
        .replace(&text(&error["request_id"]), "")
        .replace(conversation, "")
}

async fn a_branch_or_parent_must_be_of_the_conversation(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = chat(&user, &ask("one")).await.conversation();
    let other = chat(&user, &ask("two")).await;
    for (field, value, code) in [
        (
            "branch_id",
            other.first()["branch_id"].clone(),
            "BRANCH_NOT_FOUND",
        ),
        ("branch_id", json!(token::new_uuid()), "BRANCH_NOT_FOUND"),
        ("parent_message_id", json!(other.message()), "MESSAGE_NOT_FOUND"),
        ("parent_message_id", json!(token::new_uuid()), "MESSAGE_NOT_FOUND"),
    ] {
        let mut body = ask_in(&conversation, "Hi");
        body[field] = value;
        user.chat(&body).await.error(404, code);
    }
    assert_eq!(user.messages(&conversation).await.len(), 2, "nothing was stored");
}

async fn one_answer_at_a_time_per_branch_head(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let gate = Gate::new();
    server.upstream.script(
        MODEL,
        [Reply::stream().text("a").wait(&gate).end(), Reply::answer(["b"])],
    );
    let mut stream = user.chat_stream(&ask("one")).await;
    let conversation = text(&stream.next().await.expect("a first chunk").json()["conversation_id"]);

    let answer = user.chat(&ask_in(&conversation, "two")).await;
    let error = answer.error(409, "GENERATION_IN_PROGRESS");
    assert_eq!(error["details"]["stream_id"], stream.stream_id());
    assert_eq!(error["type"], "conflict_error");
    assert_eq!(answer.header("x-should-retry"), "false");
    assert_eq!(server.upstream.chats().len(), 1);

    gate.open();
    stream.finish().await;
    chat(&user, &ask_in(&conversation, "two")).await;
}

async fn of_two_answers_at_once_one_is_refused(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::held(&gate, Reply::answer(["a"]))]);
    let conversation = user.new_conversation(&json!({})).await;
    let body = ask_in(&conversation, "Hi");
    let first_refusal = async {
        let (one, two) = (user.chat(&body), user.chat(&body));
        tokio::pin!(one, two);
        let (refused, other) = tokio::select! {
            answer = &mut one => (answer, two),
            answer = &mut two => (answer, one),
        };
        gate.open();
        (refused, other.await)
    };
    let (refused, answered) = first_refusal.await;
    refused.error(409, "GENERATION_IN_PROGRESS");
    assert_eq!(answered.status, 200);
    assert_eq!(user.messages(&conversation).await.len(), 2);
}

async fn branches_are_limited(store: Store) {
    let server = TestServer::on_with(store, [("MAX_BRANCHES_PER_CONVERSATION", "2")]).await;
    let user = server.user();
    let first = chat(&user, &ask("one")).await;
    let conversation = first.conversation();
    chat(&user, &ask_in(&conversation, "two")).await;
    let mut fork = ask_in(&conversation, "another two");
    fork["parent_message_id"] = json!(first.message());
    chat(&user, &fork).await;
    let error = user.chat(&fork).await.error(409, "LIMIT_REACHED");
    assert_eq!(error["details"]["limit"], 2);
    assert_eq!(error["details"]["current"], 2);
}

async fn messages_are_limited(store: Store) {
    let server = TestServer::on_with(store, [("MAX_MESSAGES_PER_CONVERSATION", "2")]).await;
    let user = server.user();
    let conversation = chat(&user, &ask("one")).await.conversation();
    let error = user
        .chat(&ask_in(&conversation, "two"))
        .await
        .error(409, "LIMIT_REACHED");
    assert_eq!(error["details"]["limit"], 2);
}
