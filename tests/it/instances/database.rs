//! What is not shared through Redis is read from the database.

use std::time::Duration;

use serde_json::json;

use super::{TAKEN_OVER_WITHIN, Two};
use crate::support::process::run;
use crate::support::time::within_limit;
use crate::support::{Gate, MODEL, Machine, Reply, Store, chunk, token};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_read_at_another_instance() {
    let two = Two::with_an_answer().await;
    let user = two.user_there();
    let mut from_start = user.stream(&two.path()).await;
    from_start.until_text("one").await;
    let of_conversation = format!("/v1/conversations/{}/stream", two.conversation);
    let running = user.stream(&of_conversation).await;
    assert_eq!(running.stream_id(), two.stream.stream_id());
    two.gate.open();
    for (reader, rest) in [(from_start, "two"), (running, "onetwo")] {
        let transcript = reader.finish().await;
        assert_eq!(transcript.text(), rest);
        let (last, answer) = (transcript.last(), two.answer().await);
        assert_eq!(last["message_id"], answer["id"]);
        for figure in ["prompt_tokens", "completion_tokens", "cost_usd"] {
            assert_eq!(last["usage"][figure], answer["usage"][figure], "{figure}");
        }
    }
    let after = format!("{}?after=2", two.path());
    user.get(&after).await.error(404, "STREAM_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_tells_what_went_wrong() {
    let machine = Machine::on(Store::Postgres).await;
    let gate = Gate::new();
    let broken = Reply::stream()
        .text("one")
        .wait(&gate)
        .event(chunk::error("Out of order."));
    let two = Two::on_with(machine, &[], gate, broken).await;
    let user = two.user_there();
    let mut there = user.stream(&two.path()).await;
    there.until_text("one").await;
    two.gate.open();
    let there = there.finish().await;
    let here = two.stream.finish().await;
    let error = here.last()["error"].clone();
    assert_eq!(there.last()["error"], error);
    assert!(
        error["code"].is_string() && error["code"] != "STREAM_INTERRUPTED",
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_at_one_instance_is_not_shown_again_at_another() {
    let mut two = Two::with_an_answer().await;
    let user = two.user_there();
    let mut again = user.stream(&two.path()).await;
    let seen = again.until_text("one").await.id;
    let resumed = user.stream(&format!("{}?after={seen}", two.path())).await;
    two.gate.open();
    assert_eq!(resumed.finish().await.text(), "two");
    assert!(two.stream.next().await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_cancelled_at_another_instance() {
    let two = Two::with_an_answer().await;
    let cancelled = two
        .user_there()
        .post(&format!("{}/cancel", two.path()), &json!({}))
        .await
        .data(200);
    assert_eq!(cancelled["status"], "cancelled");
    let answer = two.answer().await;
    assert_eq!(
        (&answer["content"], &answer["status"]),
        (&json!("one"), &json!("cancelled"))
    );
    assert_eq!(cancelled["message_id"], answer["id"]);
    two.machine
        .upstream
        .wait_for_hang_up(Duration::from_secs(5))
        .await;
    let transcript = two.stream.finish().await;
    assert_eq!(transcript.last()["message_id"], answer["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_conversation_stops_its_answer_at_another_instance() {
    let two = Two::with_an_answer().await;
    let path = format!("/v1/conversations/{}", two.conversation);
    two.user_there().delete(&path).await.data(200);
    two.machine
        .upstream
        .wait_for_hang_up(Duration::from_secs(5))
        .await;
    assert_eq!(two.stream.finish().await.text(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reads_or_cancels_it_there() {
    let two = Two::with_an_answer().await;
    let stranger = two.there.user();
    stranger.get(&two.path()).await.error(404, "STREAM_NOT_FOUND");
    stranger
        .post(&format!("{}/cancel", two.path()), &json!({}))
        .await
        .error(404, "STREAM_NOT_FOUND");
    two.gate.open();
    assert_eq!(two.stream.finish().await.text(), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_instance_was_writing_is_closed_by_another() {
    let mut two = Two::with_an_answer().await;
    let user = two.user_there();
    let mut reader = user.stream(&two.path()).await;
    reader.until_text("one").await;
    two.here.kill();
    let transcript = within_limit(TAKEN_OVER_WITHIN, "the end", reader.finish()).await;
    let error = transcript.error("STREAM_INTERRUPTED");
    let answer = two.answer().await;
    assert_eq!(error["details"]["message_id"], answer["id"]);
    assert_eq!(
        (&answer["content"], &answer["status"]),
        (&json!("one"), &json!("interrupted"))
    );
    let metrics = user.get("/metrics").await.text();
    assert!(metrics.contains("\ngenerations_recovered_total 1\n"), "{metrics}");
    let body = json!({"model": MODEL, "message": "And?", "conversation_id": two.conversation});
    assert_eq!(user.chat_stream(&body).await.finish().await.text(), "next");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_was_only_paused_brings_its_answer() {
    let mut two = Two::with_an_answer().await;
    two.here.freeze();
    let closed = two.until_answer_is("interrupted").await;
    two.here.thaw();
    two.gate.open();
    assert_eq!(two.rest().await.text(), "two");
    let answer = two.until_answer_is("completed").await;
    assert_eq!(
        (&answer["content"], &answer["id"]),
        (&json!("onetwo"), &closed["id"])
    );
    let usage = &answer["usage"];
    assert_eq!(
        usage["estimated"], false,
        "the model's figures replace the estimate"
    );
    let conversation = two
        .user_there()
        .get(&format!("/v1/conversations/{}", two.conversation))
        .await;
    assert_eq!(
        conversation.data(200)["total_tokens"],
        usage["total_tokens"],
        "counted once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_has_one_instance() {
    let machine = Machine::on(Store::Postgres).await;
    let first = machine.serve("1").await;
    let folder = machine.data_dir().to_str().expect("a path").to_owned();
    let settings = [
        ("JWT_SECRET_KEY", token::SECRET),
        ("DATA_DIR", folder.as_str()),
        ("PORT", "0"),
        ("SHUTDOWN_TIMEOUT", "0"),
    ];
    let second = run(&["serve"], &settings).await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains("another instance uses this data folder"),
        "{second:?}"
    );
    assert_eq!(first.user().get("/ready").await.status, 200);
}
