//! Searching in one conversation.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::tree::{items, texts};
use crate::support::{MODEL, Reply, Store, TestServer, Tree, on_each_store, token};

on_each_store!(
    messages_are_found_on_all_branches_with_a_snippet,
    a_search_is_narrowed_down,
    a_search_is_narrowed_down_to_a_time,
    a_search_comes_in_pages,
    only_this_conversation_is_searched,
    any_text_is_searched_for,
    edits_and_deletions_are_seen_at_once,
    the_fields_of_a_search_are_checked,
);

async fn search(tree: &Tree, body: &Value) -> Value {
    tree.post("/messages/search", body).await.data(200)
}

async fn found(tree: &Tree, body: &Value) -> Vec<String> {
    let page = search(tree, body).await;
    let mut found = texts(items(&page));
    assert_eq!(page["pagination"]["total"], found.len(), "{page}");
    found.sort();
    found
}

/// "red fox" answered by "brown fox" (8 tokens), and on another branch, which is active, by "grey fox".
async fn grown(server: &TestServer) -> (Tree, String) {
    let tree = Tree::new(server).await;
    server.upstream.script(MODEL, [Reply::answer(["brown fox"])]);
    let main = tree.active().await;
    let turn = tree.chat("red fox").await;
    tree.fork(&turn.question).await;
    tree.add([("assistant", "grey fox")]).await;
    (tree, main)
}

async fn messages_are_found_on_all_branches_with_a_snippet(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, _) = grown(&server).await;
    assert_eq!(
        found(&tree, &json!({"q": "FÖX"})).await,
        ["brown fox", "grey fox", "red fox"]
    );
    let page = search(&tree, &json!({"q": "brown"})).await;
    let hit = &items(&page)[0];
    assert_eq!(hit["snippet"], "<mark>brown</mark> fox");
    let mut message = tree.message(&text(&hit["id"])).await;
    message["snippet"] = hit["snippet"].clone();
    assert_eq!(*hit, message, "a hit is a message with a snippet");

    tree.add([("user", "<b>&amp; a lynx</b>")]).await;
    let page = search(&tree, &json!({"q": "lynx"})).await;
    assert_eq!(
        items(&page)[0]["snippet"],
        "&lt;b&gt;&amp;amp; a <mark>lynx</mark>&lt;/b&gt;"
    );
}

async fn a_search_is_narrowed_down(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main) = grown(&server).await;
    let active = tree.active().await;
    for (filter, expected) in [
        (json!({"role": "user"}), vec!["red fox"]),
        (json!({"role": "assistant"}), vec!["brown fox", "grey fox"]),
        (json!({"role": "tool"}), vec![]),
        (json!({"model": MODEL}), vec!["brown fox"]),
        (json!({"model": "other"}), vec![]),
        (json!({"branch_id": main}), vec!["brown fox", "red fox"]),
        (json!({"branch_id": active}), vec!["grey fox", "red fox"]),
        (
            json!({"branch_id": active, "role": "assistant"}),
            vec!["grey fox"],
        ),
        (json!({"min_tokens": 8}), vec!["brown fox"]),
        (json!({"min_tokens": 9}), vec![]),
        (json!({"min_tokens": 1, "max_tokens": 8}), vec!["brown fox"]),
        (json!({"min_tokens": 1, "max_tokens": 7}), vec![]),
    ] {
        let mut body = filter.clone();
        body["q"] = json!("fox");
        assert_eq!(found(&tree, &body).await, expected, "{filter}");
    }
    let elsewhere = json!({"q": "fox", "branch_id": token::new_uuid()});
    tree.post("/messages/search", &elsewhere)
        .await
        .error(404, "BRANCH_NOT_FOUND");
}

async fn a_search_is_narrowed_down_to_a_time(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main) = grown(&server).await;
    let first = tree.on(&main).await.remove(0);
    let at = &first["created_at"];
    let since = found(&tree, &json!({"q": "fox", "created_after": at})).await;
    assert!(
        since.contains(&"red fox".to_owned()),
        "that time is within: {since:?}"
    );
    let before = found(&tree, &json!({"q": "fox", "created_before": at})).await;
    assert!(before.is_empty(), "that time is not within: {before:?}");
    let never = json!({"q": "fox", "created_after": "2999-01-01T00:00:00+01:00"});
    assert!(found(&tree, &never).await.is_empty());
}

async fn a_search_comes_in_pages(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, _) = grown(&server).await;
    let all: Vec<_> = items(&search(&tree, &json!({"q": "fox"})).await).to_vec();
    let second = search(&tree, &json!({"q": "fox", "limit": 1, "page": 2})).await;
    assert_eq!(items(&second), &all[1..2]);
    let expected = json!({"page": 2, "limit": 1, "total": 3, "pages": 3, "has_next": true, "has_prev": true});
    assert_eq!(second["pagination"], expected);
    let by_query = tree
        .post("/messages/search?limit=1&page=2", &json!({"q": "fox"}))
        .await
        .data(200);
    assert_eq!(by_query, second);
    let past = search(&tree, &json!({"q": "fox", "page": 9})).await;
    assert_eq!((items(&past).len(), &past["pagination"]["total"]), (0, &json!(3)));
}

async fn only_this_conversation_is_searched(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, _) = grown(&server).await;
    let other = Tree {
        id: tree.user.new_conversation(&json!({})).await,
        user: tree.user.clone(),
    };
    other.add([("user", "another fox")]).await;
    assert_eq!(found(&other, &json!({"q": "fox"})).await, ["another fox"]);
}

async fn any_text_is_searched_for(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let said = "東京 and 😀 say: 100%_off \"quoted\" drop table";
    tree.add([("user", said)]).await;
    for q in ["\"); DROP", "東", "京", "😀", "\"quoted", "100", "off"] {
        assert_eq!(found(&tree, &json!({"q": q})).await, [said], "{q}");
    }
    for nothing in ["*", "%_", "\"\"", "NEAR(", "-", "東京都", "OR", &"(".repeat(200)] {
        assert!(found(&tree, &json!({"q": nothing})).await.is_empty(), "{nothing}");
    }
}

async fn edits_and_deletions_are_seen_at_once(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one] = tree.add([("user", "before")]).await;
    let path = format!("/messages/{one}");
    tree.patch(&path, &json!({"content": "after"})).await.data(200);
    assert!(found(&tree, &json!({"q": "before"})).await.is_empty());
    assert_eq!(found(&tree, &json!({"q": "after"})).await, ["after"]);
    tree.delete(&path).await.data(200);
    assert!(found(&tree, &json!({"q": "after"})).await.is_empty());
}

async fn the_fields_of_a_search_are_checked(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    for (field, value) in [
        ("q", json!("")),
        ("q", json!("x".repeat(201))),
        ("q", Value::Null),
        ("role", json!("robot")),
        ("model", json!("")),
        ("branch_id", json!("42")),
        ("created_after", json!("yesterday")),
        ("created_before", json!("2026-13-01T00:00:00Z")),
        ("min_tokens", json!(-1)),
        ("max_tokens", json!("many")),
        ("page", json!(0)),
        ("limit", json!(101)),
    ] {
        let mut body = json!({"q": "fox"});
        body[field] = value.clone();
        let answer = tree.post("/messages/search", &body).await;
        assert_eq!(answer.status, 422, "{field} = {value}: {answer:?}");
        assert_eq!(answer.invalid_fields(), [field]);
    }
    assert_eq!(
        tree.post("/messages/search", &json!({})).await.invalid_fields(),
        ["q"]
    );
}
