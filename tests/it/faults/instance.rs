//! Instances end: their users find out, and read on at another, or when it is back.

use super::{USERS, busy};
use crate::support::load::{End, Kept, Record};
use crate::support::{Fleet, Gate, Load, MODEL, Reply};

/// Streams that an instance has open when it is killed.
const STREAMS: usize = 100;

/// Nobody was told anything but that an instance is about to end.
fn assert_refused_for_draining(record: &Record) {
    for refusal in &record.refusals {
        assert_eq!((refusal.status, refusal.code.as_str()), (503, "DRAINING"));
        assert!(refusal.retry_after.is_some(), "{refusal:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_instance_is_killed_and_comes_back() {
    let (mut fleet, load) = busy(Fleet::start(1).await).await;
    fleet.kill(0);
    fleet.launch(0).await;
    load.more_answers(2 * USERS).await;

    let record = load.finish().await;
    assert_eq!(record.refusals, []);
    assert!(record.broken_connections > 0);
    record.assert_kept(&fleet.bases()[0], Kept::Checkpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_instances_is_killed_and_does_not_come_back() {
    let (mut fleet, load) = busy(Fleet::start(2).await).await;
    fleet.kill(0);
    load.more_answers(4 * USERS).await;

    let record = load.finish().await;
    let interrupted = record.answers_that(End::Interrupted);
    assert!(interrupted > 0, "it was writing answers");
    record.assert_kept(&fleet.bases()[1], Kept::Checkpoint).await;
}

/// With Redis, others have all that was seen of what a dead instance was writing.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_instances_is_killed_with_a_hundred_streams_open() {
    let mut fleet = Fleet::with_redis(2).await;
    let gate = Gate::new();
    let answer = Reply::stream()
        .text("One")
        .text(" two")
        .wait(&gate)
        .text(" three")
        .end();
    fleet.upstream.script(MODEL, [answer]);
    let load = Load::start(&fleet.bases(), 2 * STREAMS);
    load.streams_open(2 * STREAMS).await;
    fleet.kill(0);
    gate.open_for_all();
    load.more_answers(4 * STREAMS).await;

    let record = load.finish().await;
    assert_eq!(record.answers_that(End::Interrupted), STREAMS);
    record.assert_kept(&fleet.bases()[1], Kept::AllThatWasSeen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_replaced_one_after_the_other() {
    replaced_one_after_the_other(Fleet::start(2).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_with_redis_are_replaced_one_after_the_other() {
    replaced_one_after_the_other(Fleet::with_redis(2).await).await;
}

async fn replaced_one_after_the_other(fleet: Fleet) {
    let (mut fleet, load) = busy(fleet).await;
    for instance in [0, 1] {
        fleet.terminate(instance).await;
        fleet.launch(instance).await;
        load.more_answers(USERS).await;
    }

    let record = load.finish().await;
    assert_refused_for_draining(&record);
    let interrupted = record.answers_that(End::Interrupted);
    assert_eq!(interrupted, 0, "each had the time to finish what it had begun");
    record.assert_kept(&fleet.bases()[0], Kept::AllThatWasSeen).await;
}
