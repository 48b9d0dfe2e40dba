//! What was exported comes back as an equal tree.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{copies, import, statuses};
use crate::conversations::{ROUTE, list};
use crate::support::client::text;
use crate::support::{Store, TestServer, Tree, on_each_store};

on_each_store!(
    an_export_comes_back_as_an_equal_tree,
    a_branch_comes_back_as_a_conversation,
    importing_again_brings_the_copy_up_to_date,
    what_was_written_into_a_copy_stays,
    a_copy_that_was_deleted_is_made_anew,
    imports_of_the_same_at_once_make_one_copy,
);

/// A conversation with everything in it, its ids replaced by their places, and without what a copy has of its own.
fn portrait(mut full: Value) -> Value {
    let mut ids = vec![
        text(&full["conversation"]["id"]),
        text(&full["conversation"]["user_id"]),
    ];
    for part in ["branches", "messages"] {
        let items = full[part].as_array().expect("a list");
        ids.extend(items.iter().map(|item| text(&item["id"])));
    }
    let conversation = full["conversation"].as_object_mut().expect("an object");
    conversation.retain(|name, _| name != "imported_from");
    let json = ids
        .iter()
        .enumerate()
        .fold(full.to_string(), |json, (place, id)| {
            json.replace(id, &format!("#{place}"))
        });
    serde_json::from_str(&json).expect("JSON")
}

async fn exported(conversation: &Tree) -> Value {
    conversation.get("/export").await.json()
}

async fn an_export_comes_back_as_an_equal_tree(store: Store) {
    let server = TestServer::on(store).await;
    let (owner, other) = (server.user(), server.user());
    let original = Tree::eventful(&owner).await;
    let before = original.full().await;
    let file = exported(&original).await;
    for importer in [&owner, &other] {
        let report = import(importer, &file).await;
        let source = format!("export:{}", original.id);
        let [copy] = copies(&report).try_into().expect("one copy");
        assert_ne!(copy, original.id);
        let result = json!([{"source_id": source, "id": copy, "status": "created"}]);
        assert_eq!(report["results"], result);
        let full = importer.full(&copy).await;
        assert_eq!(full["conversation"]["imported_from"], source);
        assert_eq!(full["conversation"]["user_id"], importer.user.to_string());
        pretty_assert(&portrait(full), &portrait(before.clone()));
    }
    assert_eq!(original.full().await, before, "the original stays as it is");
    let theirs = list(&other, "?status=all").await;
    assert_eq!(theirs["pagination"]["total"], 1, "a copy is the importer's alone");
}

/// Compares field by field, so that a failure shows what is different.
fn pretty_assert(found: &Value, expected: &Value) {
    for part in ["branches", "messages"] {
        let [found, expected] = [found, expected].map(|full| full[part].as_array().expect("a list"));
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found, expected, "in {part}");
        }
        assert_eq!(found.len(), expected.len(), "{part}");
    }
    assert_eq!(found, expected);
}

async fn a_branch_comes_back_as_a_conversation(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let original = Tree::eventful(&user).await;
    let branches = original.read().await["branches"].take();
    let branch = branches.as_array().expect("branches").last().expect("a branch");
    let path = original.path(&format!("/export?branch_id={}", text(&branch["id"])));
    let file = user.get(&path).await.json();
    let report = import(&user, &file).await;
    let full = user.full(&copies(&report)[0]).await;
    assert_eq!(full["branches"].as_array().map(Vec::len), Some(1));
    assert_eq!(full["branches"][0]["is_main"], true);
    let said: Vec<_> = full["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|m| &m["content"])
        .collect();
    assert_eq!(said, ["Hi", "Hello there!", "another way"]);
}

async fn importing_again_brings_the_copy_up_to_date(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let original = Tree::titled(&user, "Plans").await;
    let [question] = original.add([("user", "Where to?")]).await;
    let report = import(&user, &exported(&original).await).await;
    let copy = copies(&report)[0].clone();

    original.add([("assistant", "North")]).await;
    original.add_after(&question, "assistant", "South").await;
    let file = exported(&original).await;
    for _ in 0..2 {
        let report = import(&user, &file).await;
        assert_eq!(
            (statuses(&report), copies(&report)),
            (vec!["updated"], vec![copy.clone()])
        );
    }
    let [copied, full] = [user.full(&copy).await, original.full().await].map(portrait);
    for part in ["messages", "tree"] {
        assert_eq!(copied[part], full[part], "{part}");
    }
    let [branches, originals] = [&copied, &full].map(|full| full["branches"].as_array().expect("branches"));
    for (branch, original) in branches.iter().zip(originals) {
        for field in ["name", "parent_message_id", "head_message_id"] {
            assert_eq!(branch[field], original[field], "{field}");
        }
    }
    assert_eq!(branches.len(), originals.len());
    assert_eq!(branches[0]["is_active"], true, "the reader stays where they were");
    assert_eq!(list(&user, "").await["pagination"]["total"], 2);
}

async fn what_was_written_into_a_copy_stays(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let original = Tree::titled(&user, "Plans").await;
    original.add([("user", "Where to?")]).await;
    let file = exported(&original).await;
    let copy = copies(&import(&user, &file).await)[0].clone();
    let message = json!({"role": "assistant", "content": "mine"});
    user.post(&format!("{ROUTE}/{copy}/messages"), &message)
        .await
        .data(201);
    user.patch(&format!("{ROUTE}/{copy}"), &json!({"title": "Mine"}))
        .await
        .data(200);
    import(&user, &file).await;
    let full = user.full(&copy).await;
    assert_eq!(full["conversation"]["title"], "Mine");
    assert_eq!(full["messages"][1]["content"], "mine");
    assert_eq!(full["messages"].as_array().map(Vec::len), Some(2));
}

async fn a_copy_that_was_deleted_is_made_anew(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let original = Tree::titled(&user, "Plans").await;
    let file = exported(&original).await;
    let first = copies(&import(&user, &file).await)[0].clone();
    user.delete(&format!("{ROUTE}/{first}")).await.data(200);
    let report = import(&user, &file).await;
    assert_eq!(statuses(&report), ["created"]);
    assert_ne!(copies(&report), [first]);
}

async fn imports_of_the_same_at_once_make_one_copy(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let original = Tree::eventful(&user).await;
    let file = exported(&original).await;
    let reports = join_all((0..2).map(|_| import(&user, &file))).await;
    let mut all: Vec<_> = reports.iter().flat_map(statuses).collect();
    all.sort_unstable();
    assert_eq!(all, ["created", "updated"]);
    let copy = copies(&reports[0]);
    assert!(reports.iter().all(|report| copies(report) == copy));
    let [copied, full] = [user.full(&copy[0]).await, original.full().await].map(portrait);
    assert_eq!(copied["messages"], full["messages"]);
}
