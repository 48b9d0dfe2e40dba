//! The ledger: one entry for each answer, however it ends, with what the model server said of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::database::UsageRow;
use crate::support::{
    Answer, Client, EventStream, Gate, MODEL, Reply, Store, TestServer, chunk, eventually, on_each_store,
};

on_each_store!(
    a_conversations_answer,
    an_answer_for_openais_clients,
    an_answer_that_the_model_did_not_count,
    an_interrupted_answer,
    a_refused_answer,
    a_cancelled_answer,
    an_answer_whose_openai_client_left,
    a_whole_answer_whose_openai_client_left,
);

const CHAT: &str = "/v1/chat/completions";

fn conversation(stream: bool) -> Value {
    json!({"model": MODEL, "message": "Hi", "stream": stream})
}

fn openai(stream: bool) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": stream})
}

/// A streamed answer of 8 and 27 tokens and 0.0000174 dollars.
fn priced() -> Reply {
    let reply = Reply::stream().text("Hi").event(chunk::finish("stop"));
    reply.event(chunk::usage_with_choice(8, 27, 0.000_017_4)).done()
}

/// The only entry, once it is there.
async fn only_entry(server: &TestServer) -> UsageRow {
    let mut ledger = server.ledger().await;
    let entries = eventually("an entry", async || {
        let entries = ledger.entries().await;
        (!entries.is_empty()).then_some(entries)
    })
    .await;
    let [entry] = entries.as_slice() else {
        panic!("one entry: {entries:?}")
    };
    entry.clone()
}

/// Lets the user ask, takes the whole answer, and returns the entry that came of it.
async fn entry_of(store: Store, reply: Reply, body: &Value, status: u16) -> UsageRow {
    let server = TestServer::on(store).await;
    server.upstream.script(MODEL, [reply]);
    let user = server.user();
    let request = user.request(Method::POST, CHAT).header("x-request-id", "req-7");
    let answer = Answer::to(request.json(body)).await;
    assert_eq!(answer.status, status, "{answer:?}");
    let entry = only_entry(&server).await;
    assert_eq!(entry.user_id, user.user);
    assert_eq!((&*entry.request_id, &*entry.model), ("req-7", MODEL));
    entry
}

/// What the model server reported.
fn reported(entry: &UsageRow) -> (i64, i64, Option<i64>) {
    assert!(!entry.estimated, "{entry:?}");
    (entry.prompt_tokens, entry.completion_tokens, entry.cost)
}

/// What we counted, since the model server did not.
fn assert_estimated(entry: &UsageRow) {
    assert!(entry.estimated, "{entry:?}");
    assert!(
        entry.prompt_tokens > 0 && entry.completion_tokens > 0,
        "{entry:?}"
    );
    assert_eq!(entry.cost, None, "unknown is not free");
}

async fn a_conversations_answer(store: Store) {
    let entry = entry_of(store, priced(), &conversation(true), 200).await;
    assert_eq!((&*entry.status, entry.streamed), ("completed", true));
    assert_eq!(reported(&entry), (8, 27, Some(17_400)));
    assert!(
        entry.conversation_id.is_some() && entry.message_id.is_some(),
        "{entry:?}"
    );

    let reply = Reply::completion("Hi").header("x-litellm-response-cost", "1.5e-06");
    let entry = entry_of(store, reply, &conversation(false), 200).await;
    assert_eq!((&*entry.status, entry.streamed), ("completed", false));
    assert_eq!(reported(&entry), (5, 3, Some(1_500)));
    assert!(
        entry.conversation_id.is_some() && entry.message_id.is_some(),
        "{entry:?}"
    );
}

async fn an_answer_for_openais_clients(store: Store) {
    let entry = entry_of(store, priced(), &openai(true), 200).await;
    assert_eq!((&*entry.status, entry.streamed), ("completed", true));
    assert_eq!(reported(&entry), (8, 27, Some(17_400)));
    assert_eq!((entry.conversation_id, entry.message_id), (None, None));

    let reply = Reply::completion("Hi").header("x-litellm-response-cost", "1.5e-06");
    let entry = entry_of(store, reply, &openai(false), 200).await;
    assert_eq!((&*entry.status, entry.streamed), ("completed", false));
    assert_eq!(reported(&entry), (5, 3, Some(1_500)));
    assert_eq!((entry.conversation_id, entry.message_id), (None, None));
}

async fn an_answer_that_the_model_did_not_count(store: Store) {
    let without_usage = Reply::stream().text("Hi").event(chunk::finish("stop")).done();
    for body in [conversation(true), openai(true)] {
        let entry = entry_of(store, without_usage.clone(), &body, 200).await;
        assert_eq!(entry.status, "completed");
        assert_estimated(&entry);
    }
}

async fn an_interrupted_answer(store: Store) {
    for body in [conversation(true), openai(true)] {
        let entry = entry_of(store, Reply::stream().text("Hi").cut(), &body, 200).await;
        assert_eq!(entry.status, "interrupted");
        assert_estimated(&entry);
    }
}

async fn a_refused_answer(store: Store) {
    for (body, stream) in [conversation, openai]
        .into_iter()
        .flat_map(|body| [(body(true), true), (body(false), false)])
    {
        let refusal = Reply::error(401, "auth_error", "Invalid API key");
        let entry = entry_of(store, refusal, &body, 502).await;
        assert_eq!((&*entry.status, entry.streamed), ("failed", stream), "{body}");
        assert_eq!(entry.message_id, None);
        assert_eq!((entry.completion_tokens, entry.cost), (0, None));
    }
}

/// An answer that has shown "one" and waits.
async fn begun(server: &TestServer, user: &Client, body: &Value) -> EventStream {
    server
        .upstream
        .script(MODEL, [Reply::stream().text("one").wait(&Gate::new()).end()]);
    let mut stream = user.chat_stream(body).await;
    stream.until_text("one").await;
    stream
}

async fn a_cancelled_answer(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let stream = begun(&server, &user, &conversation(true)).await;
    let cancel = format!("/v1/chat/streams/{}/cancel", stream.stream_id());
    user.post(&cancel, &json!({})).await.data(200);
    user.post(&cancel, &json!({})).await.data(200);
    let last = stream.finish().await.last();
    let entry = only_entry(&server).await;
    assert_eq!(entry.status, "cancelled");
    assert_estimated(&entry);
    assert_eq!(
        last["usage"]["completion_tokens"], entry.completion_tokens,
        "as it was shown"
    );
}

async fn an_answer_whose_openai_client_left(store: Store) {
    let server = TestServer::on(store).await;
    drop(begun(&server, &server.user(), &openai(true)).await);
    let entry = only_entry(&server).await;
    assert_eq!((&*entry.status, entry.streamed), ("cancelled", true));
    assert_estimated(&entry);
}

async fn a_whole_answer_whose_openai_client_left(store: Store) {
    let server = TestServer::on(store).await;
    server.upstream.script(MODEL, [Reply::silent()]);
    let (user, body) = (server.user(), openai(false));
    tokio::select! {
        answer = user.chat(&body) => panic!("a silent model answered: {answer:?}"),
        () = server.upstream.wait_for_chats(1) => {}
    }
    let entry = only_entry(&server).await;
    assert_eq!((&*entry.status, entry.streamed), ("cancelled", false));
    assert_eq!((entry.completion_tokens, entry.cost), (0, None));
}
