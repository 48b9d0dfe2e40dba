//! Which conversations a list holds, and in which order.

use serde_json::{Value, json};

use super::{ROUTE, list, titles};
use crate::support::client::text;
use crate::support::{Client, Store, TestServer, Tree, eventually, on_each_store};

on_each_store!(
    a_list_can_be_narrowed_down,
    a_list_can_be_of_a_time,
    a_list_has_one_of_ten_orders,
    titles_are_sorted_as_people_do,
    what_cannot_be_asked_for_is_named,
);

/// Waits until the server's clock shows another millisecond, so that what is done next is later than what was done. Its
/// clock is seen on conversations that somebody else makes.
async fn clock_moves(server: &TestServer) {
    let somebody = server.user();
    let now = async || text(&somebody.post(ROUTE, &json!({})).await.data(201)["created_at"]);
    let before = now().await;
    eventually("a later time", async || (now().await > before).then_some(())).await;
}

/// Conversations that differ in all that can be asked for: `plain` has no message, `short` has one and a model,
/// `forked` has three on two branches, `away` is archived. Made in this order.
async fn make_all_kinds(server: &TestServer, user: &Client) {
    Tree::titled(user, "plain").await;
    clock_moves(server).await;
    let short = Tree::of(user, &json!({"title": "short", "model": "m/1"})).await;
    short.add([("user", "quantum")]).await;
    clock_moves(server).await;
    let forked = Tree::titled(user, "forked").await;
    let [question, _] = forked.add([("user", "one"), ("assistant", "quantum")]).await;
    forked.add_after(&question, "assistant", "two").await;
    clock_moves(server).await;
    let away = Tree::titled(user, "away").await;
    let archived = json!({"status": "archived"});
    away.patch("", &archived).await.data(200);
}

async fn a_list_can_be_narrowed_down(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    make_all_kinds(&server, &user).await;
    for (query, expected) in [
        ("", &["plain", "short", "forked"][..]),
        ("status=active", &["plain", "short", "forked"]),
        ("status=archived", &["away"]),
        ("status=all", &["plain", "short", "forked", "away"]),
        ("model=m%2F1", &["short"]),
        ("model=m", &[]),
        ("has_branches=true", &["forked"]),
        ("has_branches=false", &["plain", "short"]),
        ("min_messages=1", &["short", "forked"]),
        ("max_messages=1", &["plain", "short"]),
        ("min_messages=1&max_messages=2", &["short"]),
        ("min_messages=2&max_messages=1", &[]),
        ("q=quantum", &["short", "forked"]),
        ("q=quantum&has_branches=true", &["forked"]),
        ("q=quantum&model=m%2F1&status=all&max_messages=5", &["short"]),
        ("q=", &["plain", "short", "forked"]),
        ("unknown=ignored", &["plain", "short", "forked"]),
    ] {
        let path = format!("?sort_by=created_at&sort_order=asc&{query}");
        let page = list(&user, &path).await;
        assert_eq!(titles(&page), expected, "{query}");
        assert_eq!(page["pagination"]["total"], expected.len(), "{query}");
    }
}

async fn a_list_can_be_of_a_time(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    make_all_kinds(&server, &user).await;
    let all = list(&user, "?status=all&sort_by=created_at&sort_order=asc").await;
    let made: Vec<String> = items(&all).iter().map(|item| text(&item["created_at"])).collect();
    let of = async |query: String| {
        let path = format!("?status=all&sort_by=created_at&sort_order=asc&{query}");
        titles(&list(&user, &path).await)
    };
    let (second, third) = (&made[1], &made[2]);
    let since = of(format!("created_after={third}")).await;
    assert_eq!(since, ["forked", "away"], "the moment itself is after");
    assert_eq!(of(format!("created_before={third}")).await, ["plain", "short"]);
    let between = of(format!("created_after={second}&created_before={third}")).await;
    assert_eq!(between, ["short"]);
    let elsewhere = of("created_after=2020-01-01T00:00:00%2B02:00".to_owned()).await;
    assert_eq!(elsewhere.len(), 4, "any offset from UTC");
    assert!(
        of("created_before=0001-01-01T00:00:00Z".to_owned())
            .await
            .is_empty()
    );
    assert!(
        of("created_after=9999-12-31T23:59:59Z".to_owned())
            .await
            .is_empty()
    );
}

async fn a_list_has_one_of_ten_orders(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    make_all_kinds(&server, &user).await;
    for (sort_by, ascending) in [
        ("created_at", ["plain", "short", "forked", "away"]),
        // Both without a message stand where the oldest would, in the order in which they were made.
        ("last_message_at", ["plain", "away", "short", "forked"]),
        ("message_count", ["plain", "away", "short", "forked"]),
        ("title", ["away", "forked", "plain", "short"]),
    ] {
        let path = format!("?status=all&sort_by={sort_by}");
        let up = list(&user, &format!("{path}&sort_order=asc")).await;
        assert_eq!(titles(&up), ascending, "{sort_by}");
        let mut descending = ascending;
        descending.reverse();
        assert_eq!(titles(&list(&user, &path).await), descending, "{sort_by}");
    }
    clock_moves(&server).await;
    let first = list(&user, "?sort_by=created_at&sort_order=asc&limit=1").await;
    let route = format!("{ROUTE}/{}", text(&first["items"][0]["id"]));
    user.patch(&route, &json!({"metadata": {}})).await.data(200);
    let by_change = list(&user, "?status=all").await;
    assert_eq!(titles(&by_change), ["plain", "away", "forked", "short"]);
    let by_change = list(&user, "?status=all&sort_by=updated_at&sort_order=asc").await;
    assert_eq!(titles(&by_change), ["short", "forked", "away", "plain"]);
}

async fn titles_are_sorted_as_people_do(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for title in ["zebra", "Äpfel", "apricot", "Zoo", "ape", "東京"] {
        Tree::titled(&user, title).await;
    }
    user.new_conversation(&json!({})).await;
    let page = list(&user, "?sort_by=title&sort_order=asc").await;
    assert_eq!(
        titles(&page),
        ["", "ape", "Äpfel", "apricot", "zebra", "Zoo", "東京"]
    );
}

async fn what_cannot_be_asked_for_is_named(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for (query, field) in [
        ("status=gone", "status"),
        ("sort_by=id", "sort_by"),
        ("sort_order=up", "sort_order"),
        ("has_branches=maybe", "has_branches"),
        ("min_messages=-1", "min_messages"),
        ("max_messages=many", "max_messages"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-02-30T00:00:00Z", "created_after"),
        ("created_before=2026-01-01", "created_before"),
        ("created_before=-9999-01-01T00:00:00Z", "created_before"),
        ("created_after=%2B12026-01-01T00:00:00Z", "created_after"),
        ("model=", "model"),
        ("q=a%00b", "q"),
    ] {
        let answer = user.get(&format!("{ROUTE}?{query}")).await;
        assert_eq!(answer.invalid_fields(), [field], "{query}");
    }
    let model = "m".repeat(101);
    let answer = user.get(&format!("{ROUTE}?model={model}")).await;
    assert_eq!(answer.invalid_fields(), ["model"]);
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().expect("items")
}
