//! With Redis, every instance has the whole stream: what its own readers see, byte for byte, before it is checkpointed.

use std::time::Duration;

use serde_json::json;

use super::{TAKEN_OVER_WITHIN, Two};
use crate::support::redis::RedisServer;
use crate::support::time::{pass, within_limit};
use crate::support::{Gate, MODEL, Machine, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_shows_the_same_stream() {
    let two = Two::with_redis().await;
    let user = two.user_there();
    let mut there = user.stream(&two.path()).await;
    there.until_text("one").await;
    two.gate.open();
    assert_eq!(there.finish().await.text(), "two");
    let here = two.user.stream(&two.path()).await.finish().await;
    let there = user.stream(&two.path()).await.finish().await;
    assert_eq!(here, there);
    assert_eq!(here.text(), "onetwo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_at_another_instance() {
    let mut two = Two::with_redis().await;
    let user = two.user_there();
    let seen = user.stream(&two.path()).await.until_text("one").await.id;
    let resumed = user.stream(&format!("{}?after={seen}", two.path())).await;
    two.gate.open();
    let rest = resumed.finish().await;
    assert_eq!(rest, two.rest().await);
    // Whoever asks for what comes after the end is told that it has ended.
    let ended = user.stream(&format!("{}?after=1000", two.path())).await;
    let ended = ended.finish().await;
    assert_eq!(ended.events.len(), 1, "{ended:?}");
    user.get(&format!("{}?after=-1", two.path()))
        .await
        .error(422, "VALIDATION_ERROR");
    let stranger = two.there.user();
    stranger.get(&two.path()).await.error(404, "STREAM_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_seen_is_lost_with_an_instance() {
    let mut two = Two::with_redis().await;
    let user = two.user_there();
    let reader = user.stream(&two.path()).await;
    two.here.kill();
    let transcript = within_limit(TAKEN_OVER_WITHIN, "the end", reader.finish()).await;
    let error = transcript.error("STREAM_INTERRUPTED");
    assert_eq!(transcript.text_before_error(), "one");
    let answer = two.answer().await;
    assert_eq!(
        (&answer["content"], &answer["status"], &answer["id"]),
        (
            &json!("one"),
            &json!("interrupted"),
            &error["details"]["message_id"]
        )
    );
    let again = user.stream(&two.path()).await.finish().await;
    assert_eq!(again, transcript);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_seen_is_lost_with_the_only_instance() {
    the_only_instance_starts_again(async |_: &RedisServer| {}).await;
}

/// It hangs when the instance starts, and for a while longer than a start waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_redis_is_late() {
    the_only_instance_starts_again(async |redis: &RedisServer| {
        redis.pause();
        pass(Duration::from_millis(1_800)).await;
        redis.resume();
    })
    .await;
}

/// Kills the only instance while it writes an answer, starts it again while `meanwhile` does something to Redis, and expects
/// the answer to have all that was seen.
async fn the_only_instance_starts_again(meanwhile: impl AsyncFnOnce(&RedisServer)) {
    let machine = Machine::with_redis().await;
    let mut process = machine.instance("only").await;
    let reply = Reply::stream().text("one").hang();
    machine.upstream.script(MODEL, [reply]);
    let user = process.user();
    let mut stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    let conversation = stream.next().await.expect("a first chunk").json()["conversation_id"].clone();
    stream.until_text("one").await;
    process.kill();
    let (process, ()) = tokio::join!(machine.instance("only"), meanwhile(machine.redis_ref()));
    let user = user.at(&process.base);
    let conversation = conversation.as_str().expect("an id");
    let answer = user.messages(conversation).await.pop().expect("an answer");
    assert_eq!(
        (&answer["content"], &answer["status"]),
        (&json!("one"), &json!("interrupted"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_forgets_is_told_again() {
    let mut two = Two::with_redis().await;
    let user = two.user_there();
    let mut there = user.stream(&two.path()).await;
    there.until_text("one").await;
    two.machine.redis().kill();
    two.machine.redis().restart().await;
    two.gate.open();
    assert_eq!(there.finish().await.text(), "two");
    let here = two.user.stream(&two.path()).await.finish().await;
    let there = user.stream(&two.path()).await.finish().await;
    assert_eq!(here.text(), "onetwo");
    assert_eq!(there.text(), "onetwo");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_while_redis_was_away_is_added() {
    let mut two = Two::with_redis().await;
    two.machine.redis().kill();
    let done = Gate::new();
    let reply = Reply::stream().text("three").wait(&done).text("four").end();
    two.machine.upstream.script(MODEL, [reply]);
    let mut stream = two
        .user
        .chat_stream(&json!({"model": MODEL, "message": "Hi"}))
        .await;
    stream.until_text("three").await;
    two.machine.redis().restart().await;
    let path = format!("/v1/chat/streams/{}", stream.stream_id());
    let user = two.user_there();
    let mut there = user.stream(&path).await;
    there.until_text("three").await;
    done.open();
    assert_eq!(there.finish().await.text(), "four");
    assert_eq!(stream.finish().await.text(), "four");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_redis_holds_up_no_stream() {
    let mut two = Two::with_redis().await;
    two.machine.redis().pause();
    two.gate.open();
    let started = std::time::Instant::now();
    assert_eq!(two.rest().await.text(), "two");
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    two.machine.redis().resume();
    assert_eq!(two.until_answer_is("completed").await["content"], "onetwo");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_was_only_paused_brings_its_answer() {
    let mut two = Two::with_redis().await;
    two.here.freeze();
    let closed = two.until_answer_is("interrupted").await;
    assert_eq!(closed["content"], "one");
    two.here.thaw();
    two.gate.open();
    assert_eq!(two.rest().await.text(), "two");
    let answer = two.until_answer_is("completed").await;
    assert_eq!(
        (&answer["content"], &answer["id"]),
        (&json!("onetwo"), &closed["id"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_elsewhere_keeps_an_answer_going() {
    let gate = Gate::new();
    let reply = Reply::stream().text("one").wait(&gate).text("two").end();
    let impatient = [("ON_DISCONNECT", "cancel"), ("DISCONNECT_GRACE_SECONDS", "1")];
    let two = Two::on_with(Machine::with_redis().await, &impatient, gate, reply).await;
    let user = two.user_there();
    let path = two.path();
    let mut there = user.stream(&path).await;
    there.until_text("one").await;
    let Two { machine, stream, .. } = two;
    drop(stream);
    let upstream = &machine.upstream;
    let gone = tokio::time::timeout(
        Duration::from_secs(9),
        upstream.wait_for_hang_up(Duration::from_secs(60)),
    );
    assert!(gone.await.is_err(), "somebody reads it");
    drop(there);
    upstream.wait_for_hang_up(Duration::from_secs(15)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_retention_a_reader_elsewhere_sees_the_end() {
    let gate = Gate::new();
    let reply = Reply::stream().text("one").wait(&gate).text("two").end();
    let settings = [("STREAM_RETENTION_SECONDS", "0")];
    let two = Two::on_with(Machine::with_redis().await, &settings, gate, reply).await;
    let mut there = two.user_there().stream(&two.path()).await;
    there.until_text("one").await;
    two.gate.open();
    let (here, there) = (two.stream.finish().await, there.finish().await);
    assert_eq!((here.text(), &here.last()), ("two".to_owned(), &there.last()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cancelled_after_a_silence_ends_in_order() {
    let two = Two::with_redis().await;
    let user = two.user_there();
    let mut there = user.stream(&two.path()).await;
    there.until_text("one").await;
    // Long enough for the reader to ask the database, too.
    pass(Duration::from_secs(3)).await;
    user.post(&format!("{}/cancel", two.path()), &json!({}))
        .await
        .data(200);
    let there = there.finish().await;
    assert_eq!(there.last()["message_id"], two.answer().await["id"]);
    assert_eq!(there.last(), two.stream.finish().await.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_stops_ends_the_streams_of_readers_elsewhere() {
    let gate = Gate::new();
    let reply = Reply::stream().text("one").wait(&gate).text("two").end();
    let settings = [("SHUTDOWN_TIMEOUT", "1")];
    let Two {
        machine: _machine,
        mut here,
        there,
        stream,
        user,
        ..
    } = Two::on_with(Machine::with_redis().await, &settings, gate, reply).await;
    let path = format!("/v1/chat/streams/{}", stream.stream_id());
    let mut elsewhere = user.at(&there.base).stream(&path).await;
    elsewhere.until_text("one").await;
    drop(stream);
    here.terminate();
    let elsewhere = elsewhere.finish().await;
    elsewhere.error("STREAM_INTERRUPTED");
    let again = user.at(&there.base).stream(&path).await.finish().await;
    assert_eq!(again.text_before_error(), "one");
    assert!(here.exit().await.success());
}
