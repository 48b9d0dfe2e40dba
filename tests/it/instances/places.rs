//! With Redis, the answers that a user may have written at once are counted over all instances.

use std::time::Duration;

use serde_json::json;

use super::Two;
use crate::support::time::{pass, within_limit};
use crate::support::{Gate, MODEL, Machine, Reply};

/// Users have one place, and an answer at the first of two instances has taken that of one of them.
async fn taken() -> Two {
    let one = [("MAX_CONCURRENT_STREAMS_PER_USER", "1")];
    let gate = Gate::new();
    let held = Reply::stream().text("one").wait(&gate).end();
    Two::on_with(Machine::with_redis().await, &one, gate, held).await
}

fn request() -> serde_json::Value {
    json!({"model": MODEL, "message": "Hi"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_taken_at_all_instances_until_the_answer_ends() {
    let taken = taken().await;
    let user = taken.user_there();
    let refused = user.chat(&request()).await.error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused["details"]["limit"], 1);
    let other = taken.there.user();
    assert_eq!(other.chat_stream(&request()).await.finish().await.text(), "next");
    taken.gate.open();
    // Whoever has read the end can go on at once, and anywhere.
    taken.stream.finish().await;
    assert_eq!(user.chat_stream(&request()).await.finish().await.text(), "next");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_places_of_a_dead_instance_are_free_again() {
    let mut taken = taken().await;
    let user = taken.user_there();
    taken.here.kill();
    user.chat(&request()).await.error(429, "RATE_LIMIT_EXCEEDED");
    let freed = async {
        while user.chat(&request()).await.status == 429 {
            pass(Duration::from_millis(500)).await;
        }
    };
    Box::pin(within_limit(Duration::from_secs(30), "a free place", freed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_instance_counts_its_own() {
    let mut taken = taken().await;
    taken.machine.redis().kill();
    let there = taken.user_there();
    assert_eq!(there.chat_stream(&request()).await.finish().await.text(), "next");
    taken
        .user
        .chat(&request())
        .await
        .error(429, "RATE_LIMIT_EXCEEDED");
}
