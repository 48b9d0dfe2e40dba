//! Requests that are sent more than once with one `Idempotency-Key`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{
    Answer, Client, EventStream, Gate, MODEL, Machine, Reply, Store, TestServer, Transcript, on_each_store,
    time,
};

on_each_store!(
    a_repeat_gets_the_same_stream,
    a_repeat_gets_the_same_whole_answer,
    a_repeat_joins_the_running_answer,
    a_repeat_of_what_no_model_answered_is_answered_then,
    a_key_belongs_to_its_user,
    another_body_is_a_conflict,
    a_request_that_was_refused_is_not_remembered,
    a_repeat_after_the_retention_gets_the_stored_message,
    what_was_deleted_is_not_found_by_its_key,
    a_key_has_bounds,
);

/// More at once than one user may have answered.
const AT_ONCE: usize = 50;

fn ask(words: &str, stream: bool) -> Value {
    json!({"model": MODEL, "message": words, "stream": stream})
}

fn with_key(user: &Client, key: &str, body: &Value) -> reqwest::RequestBuilder {
    user.request(Method::POST, "/v1/chat/completions")
        .header("Idempotency-Key", key)
        .json(body)
}

async fn whole(user: &Client, key: &str, body: &Value) -> Answer {
    Answer::to(with_key(user, key, body)).await
}

async fn streamed(user: &Client, key: &str, body: &Value) -> EventStream {
    EventStream::open(with_key(user, key, body)).await
}

async fn a_repeat_gets_the_same_stream(store: Store) {
    let server = TestServer::on(store).await;
    server.upstream.script(MODEL, [Reply::answer(["one", "two"])]);
    let user = server.user();
    let first = streamed(&user, "k", &ask("Hi", true)).await.finish().await;
    let again = streamed(&user, "k", &ask("Hi", true)).await.finish().await;
    assert_eq!(first, again);
    assert_eq!(first.text(), "onetwo");
    assert_eq!(server.upstream.chats().len(), 1);
    assert_eq!(user.messages(&first.conversation()).await.len(), 2);
}

async fn a_repeat_gets_the_same_whole_answer(store: Store) {
    let server = TestServer::on(store).await;
    server.upstream.script(MODEL, [Reply::completion("one")]);
    let user = server.user();
    let first = whole(&user, "k", &ask("Hi", false)).await.json();
    let again = whole(&user, "k", &ask("Hi", false)).await.json();
    assert_eq!(first, again);
    assert_eq!(first["choices"][0]["message"]["content"], "one");
    assert_eq!(server.upstream.chats().len(), 1);
}

async fn a_repeat_joins_the_running_answer(store: Store) {
    let server = TestServer::on(store).await;
    let gate = Gate::new();
    let reply = Reply::stream().text("one").wait(&gate).text("two").end();
    server.upstream.script(MODEL, [reply]);
    let user = server.user();
    let mut first = streamed(&user, "k", &ask("Hi", true)).await;
    first.until_text("one").await;
    let again = streamed(&user, "k", &ask("Hi", true)).await;
    gate.open();
    assert_eq!(again.finish().await.text(), "onetwo");
    assert_eq!(first.finish().await.text(), "two");
}

async fn a_repeat_of_what_no_model_answered_is_answered_then(store: Store) {
    let server = TestServer::on(store).await;
    let refusal = Reply::error(400, "invalid_request_error", "no");
    server.upstream.script(MODEL, [refusal, Reply::answer(["one"])]);
    let user = server.user();
    let refused = whole(&user, "k", &ask("Hi", true)).await;
    let place = refused.error(422, "UPSTREAM_REJECTED")["details"].clone();
    let answer = streamed(&user, "k", &ask("Hi", true)).await.finish().await;
    assert_eq!(answer.text(), "one");
    assert_eq!(answer.first()["user_message_id"], place["user_message_id"]);
    let messages = user.messages(&text(&place["conversation_id"])).await;
    assert_eq!(messages.len(), 2, "the message is there once: {messages:?}");
    let again = streamed(&user, "k", &ask("Hi", true)).await.finish().await;
    assert_eq!(answer, again);
}

async fn a_key_belongs_to_its_user(store: Store) {
    let server = TestServer::on(store).await;
    server
        .upstream
        .script(MODEL, [Reply::answer(["one"]), Reply::answer(["two"])]);
    for expected in ["one", "two"] {
        let answer = streamed(&server.user(), "k", &ask("Hi", true)).await;
        assert_eq!(answer.finish().await.text(), expected);
    }
}

async fn another_body_is_a_conflict(store: Store) {
    let server = TestServer::on(store).await;
    server.upstream.script(MODEL, [Reply::answer(["one"])]);
    let user = server.user();
    let first = streamed(&user, "k", &ask("Hi", true)).await.finish().await;
    let refused = whole(&user, "k", &ask("Ho", true)).await;
    refused.error(409, "IDEMPOTENCY_CONFLICT");
    assert_eq!(refused.header("x-should-retry"), "false");
    assert_eq!(user.messages(&first.conversation()).await.len(), 2);
}

async fn a_request_that_was_refused_is_not_remembered(store: Store) {
    let server = TestServer::on(store).await;
    server.upstream.script(MODEL, [Reply::answer(["one"])]);
    let user = server.user();
    whole(&user, "k", &ask("", true))
        .await
        .error(422, "VALIDATION_ERROR");
    let mut elsewhere = ask("Hi", true);
    elsewhere["conversation_id"] = json!(uuid::Uuid::nil());
    whole(&user, "k", &elsewhere)
        .await
        .error(404, "CONVERSATION_NOT_FOUND");
    let answer = streamed(&user, "k", &ask("Hi", true)).await;
    assert_eq!(answer.finish().await.text(), "one");
}

async fn a_repeat_after_the_retention_gets_the_stored_message(store: Store) {
    let server = TestServer::on_with(store, [("STREAM_RETENTION_SECONDS", "0")]).await;
    server
        .upstream
        .script(MODEL, [Reply::answer(["one", "two"]), Reply::completion("three")]);
    let user = server.user();
    let first = streamed(&user, "s", &ask("Hi", true)).await.finish().await;
    let id = text(&first.first()["stream_id"]);
    time::eventually("the log to be forgotten", async || {
        let answer = user.get(&format!("/v1/chat/streams/{id}")).await;
        (answer.status == 404).then_some(())
    })
    .await;
    let again = streamed(&user, "s", &ask("Hi", true)).await.finish().await;
    assert_eq!(again.text(), "onetwo");
    assert_eq!(again.first()["message_id"], first.first()["message_id"]);
    assert_eq!(again.last()["usage"], first.last()["usage"]);
    let body = ask("Hi", false);
    let first = whole(&user, "w", &body).await.json();
    time::eventually("the log to be forgotten", async || {
        let again = whole(&user, "w", &body).await.json();
        assert_eq!(again["message_id"], first["message_id"]);
        assert_eq!(again["choices"][0]["message"]["content"], "three");
        // The model's own id goes with the log.
        (again["id"] != first["id"]).then_some(())
    })
    .await;
}

async fn what_was_deleted_is_not_found_by_its_key(store: Store) {
    let server = TestServer::on_with(store, [("STREAM_RETENTION_SECONDS", "0")]).await;
    server.upstream.script(MODEL, [Reply::answer(["one"])]);
    let user = server.user();
    let first = streamed(&user, "k", &ask("Hi", true)).await.finish().await;
    user.delete(&format!("/v1/conversations/{}", first.conversation()))
        .await
        .data(200);
    time::eventually("the log to be forgotten", async || {
        let answer = whole(&user, "k", &ask("Hi", true)).await;
        (answer.status == 404).then(|| answer.error(404, "CONVERSATION_NOT_FOUND"))
    })
    .await;
}

async fn a_key_has_bounds(store: Store) {
    let server = TestServer::on(store).await;
    server.upstream.script(MODEL, [Reply::answer(["one"])]);
    let user = server.user();
    for key in ["", &"k".repeat(256)] {
        let refused = whole(&user, key, &ask("Hi", true)).await;
        assert_eq!(refused.invalid_fields(), ["Idempotency-Key"]);
    }
    let longest = streamed(&user, &"k".repeat(255), &ask("Hi", true)).await;
    assert_eq!(longest.finish().await.text(), "one");
}

/// Two requests with one key at two instances, of which the second comes while the model is still silent.
async fn refused_at_two(machine: Machine) {
    let (here, there) = tokio::join!(machine.instance("here"), machine.instance("there"));
    let gate = Gate::new();
    let refusal = Reply::error(400, "invalid_request_error", "No.");
    machine.upstream.script(MODEL, [Reply::held(&gate, refusal)]);
    let user = here.user();
    let there = user.at(&there.base);
    let body = ask("Hi", true);
    let ask_here = whole(&user, "k", &body);
    let ask_there = async {
        machine.upstream.wait_for_chats(1).await;
        let second = whole(&there, "k", &body);
        tokio::pin!(second);
        let early = time::pass(Duration::from_millis(300));
        tokio::select! {
            answer = &mut second => panic!("answered before the model: {answer:?}"),
            () = early => {}
        }
        gate.open();
        second.await
    };
    let (first, second) = tokio::join!(ask_here, ask_there);
    assert_eq!((first.status, second.status), (422, 422), "{second:?}");
    assert_eq!(first.json()["error"]["code"], second.json()["error"]["code"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_refused_at_every_instance() {
    Box::pin(refused_at_two(Machine::on(Store::Postgres).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_refused_at_every_instance_with_redis() {
    Box::pin(refused_at_two(Machine::with_redis().await)).await;
}

/// Sends the same request fifty times at once to two instances of this machine: what each of them got, and the messages that
/// are stored. One model is asked.
async fn fifty_at_two(machine: Machine) -> (Vec<Transcript>, Vec<Value>) {
    let (here, there) = tokio::join!(machine.instance("here"), machine.instance("there"));
    machine.upstream.script(MODEL, [Reply::answer(["one", "two"])]);
    let user = here.user();
    let users = [user.clone(), user.at(&there.base)];
    let body = ask("Hi", true);
    let answers = users
        .iter()
        .cycle()
        .take(AT_ONCE)
        .map(async |user| streamed(user, "k", &body).await.finish().await);
    let answers = join_all(answers).await;
    assert_eq!(machine.upstream.chats().len(), 1);
    let messages = user.messages(&answers[0].conversation()).await;
    (answers, messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_on_two_instances_with_redis_get_the_same_events() {
    let (answers, _) = fifty_at_two(Machine::with_redis().await).await;
    for answer in &answers {
        assert_eq!(*answer, answers[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_on_two_instances_are_one_request() {
    let (answers, messages) = fifty_at_two(Machine::on(Store::Postgres).await).await;
    for answer in &answers {
        assert_eq!(answer.text(), "onetwo");
        assert_eq!(answer.first(), answers[0].first());
        assert_eq!(answer.last()["usage"], answers[0].last()["usage"]);
        assert_eq!(answer.last()["message_id"], answers[0].last()["message_id"]);
    }
    assert_eq!(messages.len(), 2);
    let begun: DateTime<Utc> = text(&messages[1]["created_at"]).parse().expect("a time");
    assert_eq!(answers[0].first()["created"], begun.timestamp());
}
