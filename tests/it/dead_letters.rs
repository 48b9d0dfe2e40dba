//! What can never be stored: not tried any more, kept, seen by whoever looks, and tried again when somebody asks.

use std::fs;

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::process::{Output, run};
use crate::support::{
    Client, Database, Gate, MODEL, Machine, Reply, Store, TestServer, eventually, on_each_store,
};

on_each_store!(
    a_row_that_cannot_be_read_is_a_dead_letter,
    an_answer_that_the_store_refuses_is_a_dead_letter,
);

/// Health is looked at anew whenever somebody asks.
const FRESH_HEALTH: (&str, &str) = ("HEALTH_CHECK_INTERVAL", "0.05");

/// What cannot be read, on a file not even as a text.
const CORRUPT_ON_FILE: &str = "INSERT INTO outbox (id, payload, next_attempt_at, created_at)
     VALUES (x'019aafc37c527d3c9b1e0d5f2f6f8a11', CAST(x'ff' || '{\"answer\":\"a secret\"}' AS TEXT), 0, 0)";
const CORRUPT_ON_SERVER: &str = "INSERT INTO outbox (id, payload, next_attempt_at, created_at)
     VALUES ('019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a11', '{\"answer\":\"a secret\"}', now(), now())";
const CORRUPT_ID: &str = "019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a11";

/// From now on the store refuses one text, as it would a broken constraint.
const REFUSE_ON_FILE: &str = "CREATE TRIGGER refuse BEFORE UPDATE ON messages WHEN NEW.content = 'one two'
     BEGIN INSERT INTO messages (id) VALUES (NULL); END";
const REFUSE_ON_SERVER: &str = "ALTER TABLE messages ADD CONSTRAINT refuse CHECK (content <> 'one two')";

const ACCEPT_ON_FILE: &str = "DROP TRIGGER refuse";
const ACCEPT_ON_SERVER: &str = "ALTER TABLE messages DROP CONSTRAINT refuse";

/// What waits has been refused nine times already, and is due.
const LAST_TRY_ON_FILE: &str =
    "UPDATE outbox SET refusals = 9, next_attempt_at = 0 WHERE attempts > 0 AND next_attempt_at < 9e18";
const LAST_TRY_ON_SERVER: &str = "UPDATE outbox SET refusals = 9, next_attempt_at = now()
     WHERE attempts > 0 AND next_attempt_at < 'infinity'";

/// What a gauge of the outbox says.
async fn gauge(client: &Client, name: &str) -> String {
    let metrics = client.get("/metrics").await.text();
    let sample = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    sample.expect("the gauge").to_owned()
}

async fn until_dead_letters(client: &Client, count: &str) {
    eventually("dead letters", async || {
        (gauge(client, "outbox_dead_letters").await == count).then_some(())
    })
    .await;
}

/// What `/health` says of the outbox, while the service as a whole is in that state and serves.
async fn outbox_health(client: &Client, status: &str) -> Value {
    let health = eventually("a fresh report", async || {
        let answer = client.get("/health").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let health = answer.json();
        (health["status"] == status).then_some(health)
    })
    .await;
    assert_eq!(client.get("/ready").await.status, 200);
    health["services"]["outbox"].clone()
}

async fn outbox(server: &TestServer, arguments: &[&str]) -> Output {
    let settings = server.settings_of_commands();
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    run(&[&["outbox"], arguments].concat(), &settings).await
}

async fn a_row_that_cannot_be_read_is_a_dead_letter(store: Store) {
    let server = TestServer::on_with(store, [FRESH_HEALTH]).await;
    let client = server.anonymous();
    let well = outbox_health(&client, "healthy").await;
    assert_eq!(well["detail"], "waiting: 0, dead letters: 0");
    server
        .ledger()
        .await
        .execute(CORRUPT_ON_FILE, CORRUPT_ON_SERVER)
        .await;
    until_dead_letters(&client, "1").await;
    assert_eq!(gauge(&client, "outbox_pending").await, "0");
    let ill = outbox_health(&client, "degraded").await;
    assert_eq!(
        (&ill["status"], &ill["detail"]),
        (&json!("unhealthy"), &json!("waiting: 0, dead letters: 1"))
    );

    let listed = outbox(&server, &["list"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(listed.stdout.contains(CORRUPT_ID), "{listed:?}");
    assert!(
        listed.stdout.contains("attempts 1: it cannot be read"),
        "{listed:?}"
    );
    assert!(!listed.stdout.contains("secret"), "{listed:?}");

    let unknown = outbox(&server, &["discard", "019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a12"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    let discarded = outbox(&server, &["discard", CORRUPT_ID]).await;
    assert_eq!(discarded.code, Some(0), "{discarded:?}");
    until_dead_letters(&client, "0").await;
    outbox_health(&client, "healthy").await;
}

async fn an_answer_that_the_store_refuses_is_a_dead_letter(store: Store) {
    let server = TestServer::on_with(store, [FRESH_HEALTH]).await;
    let (user, gate) = (server.user(), Gate::new());
    let reply = Reply::stream().text("one").wait(&gate).text(" two").end();
    server.upstream.script(MODEL, [reply, Reply::answer(["next"])]);
    let mut stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    let first = stream.next().await.expect("a first chunk").json();
    let conversation = text(&first["conversation_id"]);
    let id = stream.stream_id();
    let mut database = server.ledger().await;
    database.execute(REFUSE_ON_FILE, REFUSE_ON_SERVER).await;
    gate.open();
    assert_eq!(stream.finish().await.last()["pending"], true);
    assert_eq!(gauge(&user, "outbox_pending").await, "1");
    assert_eq!(gauge(&user, "outbox_dead_letters").await, "0");
    assert_eq!(user.messages(&conversation).await[1]["status"], "streaming");

    eventually("the last refusal", async || {
        database.execute(LAST_TRY_ON_FILE, LAST_TRY_ON_SERVER).await;
        (gauge(&user, "outbox_dead_letters").await == "1").then_some(())
    })
    .await;
    outbox_health(&user, "degraded").await;
    let closed = &user.messages(&conversation).await[1];
    assert_eq!(
        (&closed["status"], &closed["content"]),
        (&json!("interrupted"), &json!(""))
    );
    let body = json!({"model": MODEL, "message": "And?", "conversation_id": conversation});
    assert_eq!(user.chat_stream(&body).await.finish().await.text(), "next");
    let listed = outbox(&server, &["list"]).await;
    assert!(listed.stdout.contains(&id), "{listed:?}");
    assert!(
        listed.stdout.contains("the database refused it, code "),
        "{listed:?}"
    );

    database.execute(ACCEPT_ON_FILE, ACCEPT_ON_SERVER).await;
    let retried = outbox(&server, &["retry"]).await;
    assert_eq!(retried.code, Some(0), "{retried:?}");
    assert!(
        retried.stdout.contains("1 of the database and 0 of"),
        "{retried:?}"
    );
    let whole = eventually("the answer", async || {
        let answer = user.messages(&conversation).await.swap_remove(1);
        (answer["status"] == "completed").then_some(answer)
    })
    .await;
    assert_eq!(
        (&whole["content"], &whole["id"]),
        (&json!("one two"), &closed["id"])
    );
    until_dead_letters(&user, "0").await;
    assert_eq!(database.entries().await.len(), 2, "each answer is charged once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_journal_that_cannot_be_read_is_a_dead_letter() {
    let machine = Machine::new().await;
    let dead = machine.data_dir().join("outbox.dead");
    let journal = machine.data_dir().join("outbox.jsonl");
    fs::write(&journal, "{\"answer\":\"a secret\"}\n").expect("a journal");
    let process = machine.serve_with(&[FRESH_HEALTH]).await;
    let client = Client::anonymous(&process.base);
    let ill = outbox_health(&client, "degraded").await;
    assert_eq!(ill["detail"], "waiting: 0, dead letters: 1");
    assert_eq!(gauge(&client, "outbox_dead_letters").await, "1");
    assert!(!journal.exists(), "it is out of the way");

    let settings = [("DATA_DIR", machine.data_dir().to_str().expect("a UTF-8 path"))];
    let listed = run(&["outbox", "list"], &settings).await;
    assert!(listed.stdout.contains("0 in the database, 1 in "), "{listed:?}");
    assert!(
        listed.stdout.contains("line 2  21 bytes: it cannot be read"),
        "{listed:?}"
    );
    let retried = run(&["outbox", "retry"], &settings).await;
    assert!(
        retried.stdout.contains("0 of the database and 1 of"),
        "{retried:?}"
    );
    eventually("the line to be read again, in vain", async || {
        dead.exists().then_some(())
    })
    .await;
    until_dead_letters(&client, "1").await;
    let printed = process.stdout() + &process.stderr() + &listed.stdout;
    assert!(!printed.contains("secret"), "{printed}");

    fs::remove_file(&dead).expect("the operator's decision");
    until_dead_letters(&client, "0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_refuses_does_not_stay_in_the_journal() {
    let machine = Machine::new().await;
    let mut process = machine.serve_with(&[("CHECKPOINT_SECONDS", "60")]).await;
    let (user, gate) = (process.user(), Gate::new());
    let reply = Reply::stream().text("one").wait(&gate).text(" two").end();
    machine.upstream.script(MODEL, [reply]);
    let mut stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    stream.until_text("one").await;
    let lock = Database::open(machine.data_dir()).await.lock().await;
    gate.open();
    assert_eq!(stream.finish().await.last()["pending"], true);
    let journal = machine.data_dir().join("outbox.jsonl");
    assert!(journal.exists());
    process.kill();
    let mut database = lock.release().await;
    database.execute(REFUSE_ON_FILE).await;

    let process = machine.serve_with(&[FRESH_HEALTH]).await;
    assert!(!journal.exists());
    let client = Client::anonymous(&process.base);
    assert_eq!(gauge(&client, "outbox_pending").await, "1");
    eventually("the last refusal", async || {
        database.execute(LAST_TRY_ON_FILE).await;
        (gauge(&client, "outbox_dead_letters").await == "1").then_some(())
    })
    .await;
    outbox_health(&client, "degraded").await;
}
