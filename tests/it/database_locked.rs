//! A database that takes no writes: what was answered is kept and delivered, what is new is refused.
//!
//! The tests hold SQLite's write lock for longer than the server waits for it, so they take some seconds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{
    Answer, Client, Database, EventStream, Gate, MODEL, Machine, Reply, TestServer, Transcript, Upstream,
    eventually,
};

/// Checkpoints wait for the lock too; without them a test knows what waits in front of the answer.
const NO_CHECKPOINTS: (&str, &str) = ("CHECKPOINT_SECONDS", "60");

fn ask() -> Value {
    json!({"model": MODEL, "message": "Hi"})
}

fn journal(data_dir: &Path) -> PathBuf {
    data_dir.join("outbox.jsonl")
}

/// An answer that has shown "one" and waits at the gate.
async fn start_answer(upstream: &Upstream, user: &Client) -> (EventStream, String, Gate) {
    let gate = Gate::new();
    let reply = Reply::stream().text("one").wait(&gate).text(" two").end();
    upstream.script(MODEL, [reply, Reply::answer(["next"])]);
    let mut stream = user.chat_stream(&ask()).await;
    let first = stream.next().await.expect("a first chunk").json();
    stream.until_text("one").await;
    (stream, text(&first["conversation_id"]), gate)
}

/// The stream ended as it should, but for its message, which is in the journal alone.
fn assert_kept(transcript: &Transcript, data_dir: &Path) {
    assert_eq!(transcript.text(), " two");
    let last = transcript.last();
    assert_eq!(last["pending"], true, "{last}");
    let kept = fs::read_to_string(journal(data_dir)).expect("a journal");
    let entries: Vec<Value> = kept
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let [entry] = entries.as_slice() else {
        panic!("one entry: {kept}")
    };
    assert_eq!(entry["answer"]["message_id"], last["message_id"]);
    assert_eq!(entry["answer"]["content"], "one two");
}

/// The answer is there, and nothing of it twice.
async fn assert_stored_once(user: &Client, conversation: &str, mut database: Database) {
    let full = user.full(conversation).await;
    assert_eq!(full["conversation"]["message_count"], 2);
    assert_eq!(full["messages"].as_array().map(Vec::len), Some(2));
    let answer = &full["messages"][1];
    assert_eq!(answer["content"], "one two");
    assert_eq!(
        full["conversation"]["total_tokens"],
        answer["usage"]["total_tokens"]
    );
    let usage = database.usage().await;
    assert_eq!(usage.len(), 1, "{usage:?}");
    assert_eq!(
        usage[0].message_id.map(|id| id.to_string()),
        Some(text(&answer["id"]))
    );
    assert_eq!(database.count("outbox").await, 0);
}

async fn outbox_pending(client: &Client) -> String {
    let metrics = client.get("/metrics").await.text();
    let sample = metrics
        .lines()
        .find_map(|line| line.strip_prefix("outbox_pending "));
    sample.expect("the gauge").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_stored_is_delivered_later() {
    let server = TestServer::with([NO_CHECKPOINTS]).await;
    let user = server.user();
    let (stream, conversation, gate) = start_answer(&server.upstream, &user).await;
    let path = format!("/v1/chat/streams/{}", stream.stream_id());

    let lock = server.database().await.lock().await;
    gate.open();
    let transcript = stream.finish().await;
    assert_kept(&transcript, server.data_dir());
    assert_eq!(outbox_pending(&user).await, "1");
    assert_eq!(user.messages(&conversation).await[1]["status"], "streaming");

    let database = lock.release().await;
    eventually("the answer to be delivered", async || {
        (user.messages(&conversation).await[1]["status"] == "completed").then_some(())
    })
    .await;
    eventually("the outbox to be empty", async || {
        (outbox_pending(&user).await == "0").then_some(())
    })
    .await;
    assert!(!journal(server.data_dir()).exists());
    assert_stored_once(&user, &conversation, database).await;
    let replay = user.stream(&path).await.finish().await;
    assert_eq!(replay.events[2..], transcript.events);

    let body = json!({"model": MODEL, "message": "And?", "conversation_id": conversation});
    assert_eq!(user.chat_stream(&body).await.finish().await.text(), "next");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_process_kept_is_delivered_at_the_next_start() {
    let machine = Machine::new().await;
    let mut process = machine.serve_with(&[NO_CHECKPOINTS]).await;
    let user = process.user();
    let (stream, conversation, gate) = start_answer(&machine.upstream, &user).await;
    let lock = Database::open(machine.data_dir()).await.lock().await;
    gate.open();
    assert_kept(&stream.finish().await, machine.data_dir());
    process.kill();
    lock.release().await.close().await;
    cut_a_line_short(&journal(machine.data_dir()));

    let process = machine.serve("5").await;
    let user = user.at(&process.base);
    assert_eq!(user.messages(&conversation).await[1]["status"], "completed");
    let database = Database::open(machine.data_dir()).await;
    assert_stored_once(&user, &conversation, database).await;
    assert!(!journal(machine.data_dir()).exists());
    let metrics = user.get("/metrics").await.text();
    assert!(
        metrics.contains("\ngenerations_recovered_total 0\n"),
        "it was whole: {metrics}"
    );
}

/// What a crash in the middle of a write leaves: half an entry, ending in half a character.
fn cut_a_line_short(journal: &Path) {
    let mut file = fs::File::options()
        .append(true)
        .open(journal)
        .expect("the journal");
    file.write_all(b"{\"kind\":\"answer\",\"content\":\"caf\xC3")
        .expect("a write");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_message_is_refused_and_changes_nothing() {
    let server = TestServer::with([NO_CHECKPOINTS]).await;
    let user = server.user();
    let conversation = user.chat_stream(&ask()).await.finish().await.conversation();
    let lock = server.database().await.lock().await;
    let (new, empty) = (ask(), json!({}));
    let mut next = ask();
    next["conversation_id"] = json!(conversation);
    let refused: [Answer; 3] = tokio::join!(
        user.chat(&new),
        user.chat(&next),
        user.post("/v1/conversations", &empty),
    )
    .into();
    for answer in &refused {
        let error = answer.error(503, "STORE_UNAVAILABLE");
        assert_eq!(error["type"], "overloaded_error");
        assert_eq!(answer.header("retry-after"), "1");
        assert!(!answer.text().contains("locked"), "nothing internal: {answer:?}");
    }
    assert_eq!(user.messages(&conversation).await.len(), 2, "reading goes on");

    let mut database = lock.release().await;
    for (table, rows) in [
        ("conversations", 1),
        ("messages", 2),
        ("generations", 1),
        ("usage_events", 1),
    ] {
        assert_eq!(database.count(table).await, rows, "{table}");
    }
    assert_eq!(server.upstream.chats().len(), 1, "and no model was asked");
    user.chat_stream(&next).await.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_its_message_is_stored_is_answered_all_the_same() {
    let server = TestServer::with([NO_CHECKPOINTS]).await;
    let user = server.user();
    let conversation = user.chat_stream(&ask()).await.finish().await.conversation();
    eventually("the first answer's task to end", async || {
        (server.tracked_tasks() == 0).then_some(())
    })
    .await;
    let lock = server.database().await.lock().await;
    let mut next = ask();
    next["conversation_id"] = json!(conversation);
    let mut leaving = Box::pin(user.chat(&next));
    tokio::select! {
        answer = &mut leaving => panic!("answered in spite of the lock: {answer:?}"),
        () = eventually("the message to wait for the lock", async || {
            (server.tracked_tasks() == 1).then_some(())
        }) => {}
    }
    drop(leaving);
    lock.release().await;
    eventually("the answer to be stored", async || {
        let messages = user.messages(&conversation).await;
        (messages.len() == 4 && messages[3]["status"] == "completed").then_some(())
    })
    .await;
    user.chat_stream(&next).await.finish().await;
}
