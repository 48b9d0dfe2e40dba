//! Redis vanishes: nobody notices.

use std::time::Duration;

use super::{USERS, busy};
use crate::support::load::{End, Kept};
use crate::support::{Fleet, Load};

/// What 99 of 100 requests keep to while Redis hangs.
const P99: Duration = Duration::from_millis(150);

/// Nobody was refused or cut off, and nothing is lost.
async fn assert_unnoticed(fleet: &Fleet, load: Load) {
    let record = load.finish().await;
    assert_eq!(record.refusals, []);
    assert_eq!(record.broken_connections, 0);
    assert_eq!(record.answers_that(End::Interrupted), 0);
    record.assert_kept(&fleet.bases()[0], Kept::AllThatWasSeen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_and_comes_back_empty() {
    let (mut fleet, load) = busy(Fleet::with_redis(2).await).await;
    fleet.redis().kill();
    load.more_answers(2 * USERS).await;
    fleet.redis().restart().await;
    load.more_answers(2 * USERS).await;
    assert_unnoticed(&fleet, load).await;
}

/// Slower than usual, slower than is waited for, and as before.
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_slow() {
    let (fleet, load) = busy(Fleet::with_slow_redis(2).await).await;
    for delay in [15, 200, 0] {
        fleet.slow_redis().delay(Duration::from_millis(delay));
        load.more_answers(2 * USERS).await;
    }
    assert_unnoticed(&fleet, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_hangs_and_goes_on() {
    let (mut fleet, load) = busy(Fleet::with_redis(2).await).await;
    fleet.redis().pause();
    let (looks, starts) = tokio::join!(load.next_looks(100), load.next_starts(100));
    assert!(looks[98] < P99, "looks: {:?}", &looks[90..]);
    assert!(starts[98] < P99, "starts: {:?}", &starts[90..]);
    fleet.redis().resume();
    load.more_answers(2 * USERS).await;
    assert_unnoticed(&fleet, load).await;
}
