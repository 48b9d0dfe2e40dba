//! PostgreSQL fails: what cannot be done is refused, and all goes on by itself when it is back.

use super::{USERS, busy};
use crate::support::load::{End, Kept, Record};
use crate::support::{Fleet, PrivatePostgres};

/// Lets PostgreSQL fail in this way and come back, under load.
async fn fails_and_comes_back(fail: impl FnOnce(&mut PrivatePostgres)) {
    let (mut fleet, load) = busy(Fleet::start(1).await).await;
    fail(&mut fleet.postgres);
    load.more_refusals(USERS).await;
    fleet.postgres.launch().await;
    load.more_answers(2 * USERS).await;

    let record = load.finish().await;
    assert_refused_for_the_outage(&record);
    assert_eq!(record.broken_connections, 0);
    let interrupted = record.answers_that(End::Interrupted);
    assert_eq!(interrupted, 0, "the model was never cut off");
    record.assert_kept(&fleet.bases()[0], Kept::AllThatWasSeen).await;
}

/// Nobody is told anything but that the store is away, or that the answer before is not in it yet: the instance has it,
/// and delivers it within a second when the store is back.
fn assert_refused_for_the_outage(record: &Record) {
    for refusal in &record.refusals {
        match (refusal.status, refusal.code.as_str()) {
            (503, "STORE_UNAVAILABLE") => assert!(refusal.retry_after.is_some(), "{refusal:?}"),
            (409, "GENERATION_IN_PROGRESS") => {}
            _ => panic!("{refusal:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_postgres_loses_nothing() {
    fails_and_comes_back(PrivatePostgres::crash).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_postgres_loses_nothing() {
    fails_and_comes_back(PrivatePostgres::stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_hangs_delays_and_loses_nothing() {
    let (fleet, load) = busy(Fleet::start(1).await).await;
    fleet.postgres.freeze();
    load.more_refusals(1).await;
    fleet.postgres.thaw();
    load.more_answers(2 * USERS).await;

    let record = load.finish().await;
    assert_refused_for_the_outage(&record);
    record.assert_kept(&fleet.bases()[0], Kept::AllThatWasSeen).await;
}
