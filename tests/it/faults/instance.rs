//! An instance ends: its users find out, and read on when it is back.

use super::{USERS, busy_fleet};
use crate::support::load::Kept;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_loses_no_message() {
    let (mut fleet, load) = busy_fleet(1).await;
    fleet.kill(0);
    fleet.launch(0).await;
    load.more_answers(2 * USERS).await;

    let record = load.finish().await;
    assert_eq!(record.refusals, []);
    assert!(record.broken_connections > 0);
    record.assert_kept(&fleet.bases()[0], Kept::Checkpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_asked_to_end_finishes_what_it_has_begun() {
    let (mut fleet, load) = busy_fleet(1).await;
    fleet.terminate(0).await;
    fleet.launch(0).await;
    load.more_answers(2 * USERS).await;

    let record = load.finish().await;
    for refusal in &record.refusals {
        assert_eq!((refusal.status, refusal.code.as_str()), (503, "DRAINING"));
        assert!(refusal.retry_after.is_some(), "{refusal:?}");
    }
    record.assert_kept(&fleet.bases()[0], Kept::AllThatWasSeen).await;
}
