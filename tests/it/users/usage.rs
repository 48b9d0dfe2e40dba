//! Usage and the dashboard over HTTP. That the figures are those of the ledger is promised in `store/contract/usage`.

use serde_json::{Value, json};

use super::{DASHBOARD, PROFILE, USAGE};
use crate::support::client::text;
use crate::support::{Client, MODEL, Reply, Store, TestServer, Tree, chunk, eventually, on_each_store};

on_each_store!(
    an_answer_is_used_at_once,
    who_used_nothing_has_zeros,
    nobody_sees_the_usage_of_another,
    the_time_zone_is_asked_for_or_the_users,
    a_wrong_parameter_is_named,
    features_are_counted_where_they_succeed,
    analytics_can_be_switched_off,
);

/// A streamed answer of 8 and 27 tokens and 0.0000174 dollars.
fn priced() -> Reply {
    let reply = Reply::stream().text("Hi").event(chunk::finish("stop"));
    reply.event(chunk::usage_with_choice(8, 27, 0.000_017_4)).done()
}

async fn answer(server: &TestServer, user: &Client) {
    server.upstream.script(MODEL, [priced()]);
    let stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    stream.finish().await;
}

async fn an_answer_is_used_at_once(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    answer(&server, &user).await;
    for (group_by, items) in [("day", 30), ("hour", 30 * 24 - 23), ("model", 1)] {
        let usage = user.get(&format!("{USAGE}?group_by={group_by}")).await.data(200);
        let totals = &usage["totals"];
        assert_eq!((&totals["requests"], &totals["errors"]), (&json!(1), &json!(0)));
        assert_eq!(
            (
                &totals["prompt_tokens"],
                &totals["completion_tokens"],
                &totals["total_tokens"]
            ),
            (&json!(8), &json!(27), &json!(35))
        );
        assert_eq!(
            (&totals["cost_usd"], &totals["streamed"]),
            (&json!(0.000_017_4), &json!(1))
        );
        assert!(totals["latency_ms"].is_u64(), "{totals}");
        let groups = usage["items"].as_array().expect("items");
        assert!(groups.len() >= items, "{group_by}: {}", groups.len());
        let used: Vec<_> = groups.iter().filter(|group| group["requests"] == 1).collect();
        assert_eq!(used.len(), 1, "{group_by}");
        assert_eq!(used[0]["total_tokens"], 35);
        if group_by == "model" {
            assert_eq!(used[0]["group"], MODEL);
        }
    }
    let other = user.get(&format!("{USAGE}?model=another")).await.data(200);
    assert_eq!(other["totals"]["requests"], 0);
    let dashboard = user.get(&format!("{DASHBOARD}?period=all")).await.data(200);
    assert_eq!(dashboard["totals"]["total_tokens"], 35);
    assert_eq!(dashboard["streaks"], json!({"current": 1, "longest": 1}));
    assert_eq!(
        dashboard["models"],
        json!([{"model": MODEL, "requests": 1, "share": 1.0, "total_tokens": 35}])
    );
    assert_eq!(
        dashboard["cost"]["by_model"],
        json!([{"model": MODEL, "cost_usd": 0.000_017_4}])
    );
}

async fn who_used_nothing_has_zeros(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let usage = user.get(&format!("{USAGE}?period=all")).await.data(200);
    assert_eq!(
        (&usage["from"], &usage["totals"]["requests"]),
        (&Value::Null, &json!(0))
    );
    assert_eq!(usage["totals"]["latency_ms"], Value::Null);
    let dashboard = user.get(&format!("{DASHBOARD}?period=7d")).await.data(200);
    assert_eq!(dashboard["tokens_over_time"].as_array().map(Vec::len), Some(7));
    let patterns = &dashboard["conversation_patterns"];
    assert_eq!(patterns["by_hour"].as_array().map(Vec::len), Some(24));
    assert_eq!(patterns["by_weekday"].as_array().map(Vec::len), Some(7));
    assert_eq!(dashboard["models"], json!([]));
    assert_eq!(dashboard["streaks"], json!({"current": 0, "longest": 0}));
}

async fn nobody_sees_the_usage_of_another(store: Store) {
    let server = TestServer::on(store).await;
    let (one, other) = (server.user(), server.user());
    answer(&server, &one).await;
    for group_by in ["day", "hour", "model"] {
        let usage = other.get(&format!("{USAGE}?group_by={group_by}")).await.data(200);
        assert_eq!(usage["totals"]["requests"], 0);
    }
    let dashboard = other.get(&format!("{DASHBOARD}?period=all")).await.data(200);
    assert_eq!(
        (&dashboard["totals"]["requests"], &dashboard["models"]),
        (&json!(0), &json!([]))
    );
}

async fn the_time_zone_is_asked_for_or_the_users(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let zone = async |query: &str| text(&user.get(&format!("{USAGE}{query}")).await.data(200)["timezone"]);
    assert_eq!(zone("").await, "UTC");
    user.patch(PROFILE, &json!({"timezone": "Asia/Kathmandu"}))
        .await
        .data(200);
    assert_eq!(zone("").await, "Asia/Kathmandu");
    assert_eq!(zone("?timezone=America/New_York").await, "America/New_York");
    let usage = user.get(&format!("{USAGE}?period=7d")).await.data(200);
    assert!(text(&usage["from"]).contains("T18:15:00"), "{usage}");
}

async fn a_wrong_parameter_is_named(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for (query, field) in [
        ("?period=2d", "period"),
        ("?group_by=week", "group_by"),
        ("?period=1y&group_by=hour", "group_by"),
        ("?period=all&group_by=hour", "group_by"),
        ("?timezone=Mars/Olympus", "timezone"),
        ("?timezone=", "timezone"),
        ("?model=", "model"),
        (&format!("?model={}", "m".repeat(101)), "model"),
    ] {
        let answer = user.get(&format!("{USAGE}{query}")).await;
        assert_eq!(answer.invalid_fields(), [field], "{query}");
    }
    for (query, field) in [("?period=week", "period"), ("?timezone=UTC%2B2", "timezone")] {
        let answer = user.get(&format!("{DASHBOARD}{query}")).await;
        assert_eq!(answer.invalid_fields(), [field], "{query}");
    }
}

async fn features_are_counted_where_they_succeed(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let tree = Tree::of(&user, &json!({"title": "One", "model": MODEL})).await;
    let id = tree.get("").await.data(200)["id"].clone();
    let conversation = format!("/v1/conversations/{}", text(&id));
    let ask = json!({"message": "Hi", "stream": false, "conversation_id": id});
    let asked = user.chat(&ask).await.json();
    let (question, answer) = (&asked["user_message_id"], text(&asked["message_id"]));
    let main = text(&asked["branch_id"]);
    let branch = user
        .post(
            &format!("{conversation}/branches"),
            &json!({"from_message_id": question, "activate": false}),
        )
        .await
        .data(201);
    let merge = format!("{conversation}/branches/{}/merge", text(&branch["id"]));
    user.post(&merge, &json!({"target_branch_id": main}))
        .await
        .data(200);
    let refused = user
        .post(&merge, &json!({"target_branch_id": branch["id"]}))
        .await;
    assert_ne!(refused.status, 200, "{refused:?}");
    let again = user
        .post(
            &format!("{conversation}/messages/{answer}/regenerate"),
            &json!({"stream": false}),
        )
        .await;
    assert_eq!(again.status, 200, "{again:?}");
    let edit = format!("{conversation}/messages/{}", text(question));
    user.patch(&edit, &json!({"content": "Hello"})).await.data(200);
    assert_eq!(
        user.get(&format!("{conversation}/export?format=json"))
            .await
            .status,
        200
    );
    user.get("/v1/conversations?q=hello").await.data(200);
    user.post(&format!("{conversation}/messages/search"), &json!({"q": "hello"}))
        .await
        .data(200);
    let expected = json!({
        "branches": 1, "regenerations": 1, "edits": 1, "merges": 1, "exports": 1, "searches": 2,
    });
    eventually("all features to be counted", async || {
        let dashboard = user.get(DASHBOARD).await.data(200);
        (dashboard["feature_adoption"] == expected).then_some(())
    })
    .await;
    let other = server.user().get(DASHBOARD).await.data(200);
    assert_eq!(other["feature_adoption"]["searches"], 0);
}

async fn analytics_can_be_switched_off(store: Store) {
    let server = TestServer::on_with(store, [("ENABLE_USER_ANALYTICS", "false")]).await;
    let user = server.user();
    user.get(DASHBOARD).await.error(403, "FEATURE_DISABLED");
    user.get(USAGE).await.data(200);
}
