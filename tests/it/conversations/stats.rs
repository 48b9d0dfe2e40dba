//! What a user's conversations amount to.

use chrono::{DateTime, Datelike, Utc};
use serde_json::{Value, json};

use super::{ROUTE, list};
use crate::support::{Client, Reply, Store, TestServer, Tree, on_each_store, token};

on_each_store!(
    everything_is_added_up,
    only_a_period_can_be_looked_at,
    months_are_counted_the_oldest_first,
    who_has_nothing_has_zeros,
);

const DAY: i64 = 24 * 3600;

async fn stats(user: &Client, period: &str) -> Value {
    list(user, &format!("/stats{period}")).await
}

/// Brings in an empty conversation that was made at this time.
async fn made_at(user: &Client, time: DateTime<Utc>) {
    let id = format!("made-{}", time.timestamp());
    let file = json!({"id": id, "create_time": time.timestamp(), "mapping": {}});
    user.post(&format!("{ROUTE}/import"), &file).await.data(201);
}

fn days_ago(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(token::now() - days * DAY, 0).expect("a time")
}

async fn everything_is_added_up(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let [one, two] = ["m/1", "m/2"];
    server
        .upstream
        .script(one, [Reply::answer(["a"]), Reply::answer(["b"])]);
    server.upstream.script(two, [Reply::answer(["c"])]);
    for model in [two, one, one] {
        let asked = user.chat_stream(&json!({"model": model, "message": "Hi"})).await;
        asked.finish().await;
    }
    let forked = Tree::titled(&user, "forked").await;
    let [question, _] = forked.add([("user", "one"), ("assistant", "two")]).await;
    forked.add_after(&question, "assistant", "three").await;
    let archived = json!({"status": "archived"});
    forked.patch("", &archived).await.data(200);
    Tree::titled(&server.user(), "of somebody else").await;

    let stats = stats(&user, "").await;
    for (figure, expected) in [
        ("conversations", 4),
        ("active", 3),
        ("archived", 1),
        ("branches", 5),
        ("messages", 9),
        ("total_tokens", 24),
    ] {
        assert_eq!(stats[figure], expected, "{figure} in {stats}");
    }
    let models = json!([{"model": one, "count": 2}, {"model": two, "count": 1}]);
    assert_eq!(stats["models"], models);
}

async fn only_a_period_can_be_looked_at(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for days in [0, 10, 100, 1_000] {
        made_at(&user, days_ago(days)).await;
    }
    for (period, expected) in [
        ("?period=week", 1),
        ("?period=month", 2),
        ("?period=year", 3),
        ("?period=all", 4),
        ("", 4),
    ] {
        let stats = stats(&user, period).await;
        assert_eq!(stats["conversations"], expected, "{period}");
    }
    let answer = user.get(&format!("{ROUTE}/stats?period=day")).await;
    assert_eq!(answer.invalid_fields(), ["period"]);
}

async fn months_are_counted_the_oldest_first(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let may = DateTime::from_timestamp(1_746_057_600, 0).expect("2025-05-01T00:00:00Z");
    for seconds in [0, -1, 3_600] {
        made_at(&user, may + chrono::TimeDelta::seconds(seconds)).await;
    }
    let now = days_ago(0);
    made_at(&user, now).await;
    let this_month = format!("{:04}-{:02}", now.year(), now.month());
    let by_month = stats(&user, "").await["by_month"].take();
    let expected = json!([
        {"month": "2025-04", "conversations": 1},
        {"month": "2025-05", "conversations": 2},
        {"month": this_month, "conversations": 1},
    ]);
    assert_eq!(by_month, expected);
}

async fn who_has_nothing_has_zeros(store: Store) {
    let server = TestServer::on(store).await;
    let stats = stats(&server.user(), "").await;
    let expected = json!({
        "conversations": 0, "active": 0, "archived": 0, "branches": 0, "messages": 0,
        "total_tokens": 0, "total_cost": 0, "models": [], "by_month": [],
    });
    assert_eq!(stats, expected);
}
