//! What survives when the process ends: at once, in order, or in a hurry. With the real binary.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{
    Client, Database, EventStream, Gate, MODEL, Machine, Reply, Store, TestServer, eventually, on_each_store,
    time,
};

on_each_store!(
    a_killed_process_loses_no_message_and_at_most_a_second_of_text,
    a_message_is_safe_before_its_answer_begins,
    a_recovered_conversation_goes_on,
    what_was_answered_before_the_kill_is_whole,
    sigterm_lets_the_running_answer_finish,
    what_does_not_finish_in_time_is_closed_in_order,
    a_second_signal_ends_at_once,
    an_idle_process_ends_with_zero,
    an_answer_that_nobody_was_asked_for_is_closed,
);

/// An answer that has shown "one" and is waiting at the gate.
struct Running {
    stream: EventStream,
    conversation: String,
    gate: Gate,
}

async fn start_answer(machine: &Machine, user: &Client) -> Running {
    let gate = Gate::new();
    let reply = Reply::stream().text("one").wait(&gate).text("two").end();
    machine.upstream.script(MODEL, [reply, Reply::answer(["next"])]);
    let mut stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    let first = stream.next().await.expect("a first chunk").json();
    stream.until_text("one").await;
    Running {
        stream,
        conversation: text(&first["conversation_id"]),
        gate,
    }
}

/// Waits until new answers are refused because the process is about to end.
async fn until_draining(user: &Client) {
    eventually("the process to drain", async || {
        (user.get("/ready").await.status == 503).then_some(())
    })
    .await;
}

/// Content and status of each message.
fn texts(messages: &[Value]) -> Vec<(&str, &str)> {
    let both = |message| (str_in(message, "content"), str_in(message, "status"));
    messages.iter().map(both).collect()
}

fn str_in<'a>(message: &'a Value, field: &str) -> &'a str {
    message[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {message}"))
}

async fn a_killed_process_loses_no_message_and_at_most_a_second_of_text(store: Store) {
    let machine = Machine::on(store).await;
    let mut process = machine.serve("5").await;
    let user = process.user();
    let running = start_answer(&machine, &user).await;
    let stream_path = format!("/v1/chat/streams/{}", running.stream.stream_id());
    // The promise is about time, so time must pass: what is older than this must not be lost.
    time::pass(Duration::from_secs(2)).await;
    process.kill();

    let process = machine.serve("5").await;
    let user = user.at(&process.base);
    let messages = user.messages(&running.conversation).await;
    assert_eq!(texts(&messages), [("Hi", "completed"), ("one", "interrupted")]);

    let transcript = user.stream(&stream_path).await.finish().await;
    assert_eq!(transcript.text_before_error(), "one");
    let error = transcript.error("STREAM_INTERRUPTED");
    assert_eq!(error["details"]["message_id"], messages[1]["id"]);
    assert!(error["details"]["retry_after_ms"].is_number(), "{error}");
}

async fn a_message_is_safe_before_its_answer_begins(store: Store) {
    let machine = Machine::on(store).await;
    let mut process = machine.serve("5").await;
    let user = process.user();
    let conversation = user.new_conversation(&json!({})).await;
    machine.upstream.script(MODEL, [Reply::silent()]);
    let body = json!({"model": MODEL, "message": "Hi", "conversation_id": conversation});
    tokio::select! {
        answer = user.chat(&body) => panic!("a silent model answered: {answer:?}"),
        () = machine.upstream.wait_for_chats(1) => process.kill(),
    }
    let process = machine.serve("5").await;
    let messages = user.at(&process.base).messages(&conversation).await;
    assert_eq!(messages[0]["content"], "Hi");
    assert_eq!(messages[0]["role"], "user");
}

async fn a_recovered_conversation_goes_on(store: Store) {
    let machine = Machine::on(store).await;
    let mut process = machine.serve("5").await;
    let user = process.user();
    let running = start_answer(&machine, &user).await;
    process.kill();

    let process = machine.serve("5").await;
    let user = user.at(&process.base);
    let body = json!({"model": MODEL, "message": "And?", "conversation_id": running.conversation});
    assert_eq!(user.chat_stream(&body).await.finish().await.text(), "next");
    let metrics = user.get("/metrics").await.text();
    assert!(metrics.contains("\ngenerations_recovered_total 1\n"), "{metrics}");
}

async fn what_was_answered_before_the_kill_is_whole(store: Store) {
    let machine = Machine::on(store).await;
    let mut process = machine.serve("5").await;
    let user = process.user();
    let transcript = user
        .chat_stream(&json!({"model": MODEL, "message": "Hi"}))
        .await
        .finish()
        .await;
    process.kill();

    let process = machine.serve("5").await;
    let messages = user.at(&process.base).messages(&transcript.conversation()).await;
    assert_eq!(
        texts(&messages),
        [("Hi", "completed"), ("Hello there!", "completed")]
    );
}

async fn sigterm_lets_the_running_answer_finish(store: Store) {
    let machine = Machine::on(store).await;
    let mut process = machine.serve("20").await;
    let user = process.user();
    let running = start_answer(&machine, &user).await;
    process.terminate();
    until_draining(&user).await;
    user.chat(&json!({"model": MODEL, "message": "Hi"}))
        .await
        .error(503, "DRAINING");
    running.gate.open();
    assert_eq!(running.stream.finish().await.text(), "two");
    assert_eq!(process.exit().await.code(), Some(0));

    let process = machine.serve("5").await;
    let messages = user.at(&process.base).messages(&running.conversation).await;
    assert_eq!(texts(&messages), [("Hi", "completed"), ("onetwo", "completed")]);
}

async fn what_does_not_finish_in_time_is_closed_in_order(store: Store) {
    let machine = Machine::on(store).await;
    let mut process = machine.serve("1").await;
    let user = process.user();
    let running = start_answer(&machine, &user).await;
    process.terminate();
    running.stream.finish().await.error("STREAM_INTERRUPTED");
    process.exit().await;

    let process = machine.serve("5").await;
    let messages = user.at(&process.base).messages(&running.conversation).await;
    assert_eq!(texts(&messages), [("Hi", "completed"), ("one", "interrupted")]);
}

async fn a_second_signal_ends_at_once(store: Store) {
    let machine = Machine::on(store).await;
    let mut process = machine.serve("300").await;
    let user = process.user();
    let _running = start_answer(&machine, &user).await;
    process.terminate();
    until_draining(&user).await;
    process.terminate();
    time::within_limit(Duration::from_secs(5), "the end of the process", process.exit()).await;
}

async fn an_idle_process_ends_with_zero(store: Store) {
    let machine = Machine::on(store).await;
    let mut process = machine.serve("20").await;
    process.terminate();
    let exit = time::within_limit(Duration::from_secs(5), "the end of the process", process.exit()).await;
    assert_eq!(exit.code(), Some(0), "{}", process.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_leaves_one_whole_file_that_is_nobody_elses() {
    let machine = Machine::new().await;
    let mut process = machine.serve("1").await;
    process
        .user()
        .post("/v1/conversations", &json!({}))
        .await
        .data(201);
    process.terminate();
    assert!(process.exit().await.success());
    let file = machine.data_dir().join("orchestrator.db");
    let mode = fs::metadata(&file).expect("the database").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let copy = tempfile::tempdir().expect("a folder");
    fs::copy(&file, copy.path().join("orchestrator.db")).expect("a copy");
    let mut database = Database::open(copy.path()).await;
    assert_eq!(
        database.count("conversations").await,
        1,
        "the file alone is whole"
    );
}

/// As it is when a database begins a turn and its reply is lost: recorded as running here, and unknown here.
const LOST_IN_A_FILE: &str = "UPDATE generations SET status = 'streaming', started_at = started_at - 3600000;
     UPDATE messages SET status = 'streaming', content = '\"\"' WHERE role = 'assistant'";
const LOST_ON_A_SERVER: &str =
    "UPDATE generations SET status = 'streaming', started_at = started_at - interval '1 hour';
     UPDATE messages SET status = 'streaming', content = '\"\"' WHERE role = 'assistant'";

async fn an_answer_that_nobody_was_asked_for_is_closed(store: Store) {
    let server = TestServer::on_with(store, [("STREAM_RETENTION_SECONDS", "0")]).await;
    let user = server.user();
    let stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    let path = format!("/v1/chat/streams/{}", stream.stream_id());
    let conversation = stream.finish().await.conversation();
    eventually("the stream to be forgotten", async || {
        (user.get(&path).await.status == 404).then_some(())
    })
    .await;
    server
        .ledger()
        .await
        .execute(LOST_IN_A_FILE, LOST_ON_A_SERVER)
        .await;
    let body = json!({"model": MODEL, "message": "And?", "conversation_id": conversation});
    user.chat(&body).await.error(409, "GENERATION_IN_PROGRESS");
    let answer = eventually("the answer to be closed", async || {
        let answer = user.messages(&conversation).await.pop()?;
        (answer["status"] == "interrupted").then_some(answer)
    });
    assert_eq!(answer.await["content"], "");
    assert_eq!(user.chat(&body).await.status, 200);
}
