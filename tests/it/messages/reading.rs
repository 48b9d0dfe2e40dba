//! One message, and what is around it in the tree.

use serde_json::{Value, json};

use crate::support::tree::texts;
use crate::support::{Store, TestServer, Tree, on_each_store, token};

on_each_store!(
    a_message_is_read_with_its_relatives,
    only_the_relatives_asked_for_are_there,
    roots_are_siblings_too,
    what_to_include_is_checked,
    a_missing_message_is_not_found,
);

async fn include(tree: &Tree, id: &str, names: &str) -> Value {
    tree.get(&format!("/messages/{id}?include={names}"))
        .await
        .data(200)
}

fn said(relatives: &Value) -> Vec<String> {
    texts(
        relatives
            .as_array()
            .unwrap_or_else(|| panic!("no messages: {relatives}")),
    )
}

/// "one" with the answers "a" and "b", and "two" below "a".
async fn grown(server: &TestServer) -> (Tree, [String; 4]) {
    let tree = Tree::new(server).await;
    let main = tree.active().await;
    let [one, a] = tree.add([("user", "one"), ("assistant", "a")]).await;
    tree.fork(&one).await;
    let [b] = tree.add([("assistant", "b")]).await;
    let two = tree.add_on(&main, "user", "two").await;
    (tree, [one, a, b, two])
}

async fn a_message_is_read_with_its_relatives(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, [one, a, b, two]) = grown(&server).await;
    let message = include(&tree, &a, "children,siblings,thread").await;
    assert_eq!(message["content"], "a");
    assert_eq!(message["children"], json!([two]), "ids, as everywhere");
    assert_eq!(said(&message["child_messages"]), ["two"]);
    assert_eq!(said(&message["siblings"]), ["b"]);
    assert_eq!(said(&message["thread"]), ["one", "a"]);
    assert_eq!(
        message["child_messages"][0],
        tree.message(&two).await,
        "whole messages"
    );

    let root = include(&tree, &one, "children,siblings,thread").await;
    assert_eq!(root["children"], json!([a, b]));
    assert_eq!(
        (said(&root["child_messages"]), said(&root["siblings"])),
        (vec!["a".to_owned(), "b".to_owned()], vec![])
    );
    assert_eq!(said(&root["thread"]), ["one"]);
    let leaf = include(&tree, &two, "children,thread").await;
    assert_eq!(
        (said(&leaf["child_messages"]).len(), leaf["children"].clone()),
        (0, json!([]))
    );
    assert_eq!(said(&leaf["thread"]), ["one", "a", "two"]);
}

async fn only_the_relatives_asked_for_are_there(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, [_, a, ..]) = grown(&server).await;
    for (names, expected) in [
        ("", [false, false, false]),
        ("children", [true, false, false]),
        ("siblings,%20thread", [false, true, true]),
    ] {
        let message = include(&tree, &a, names).await;
        let there = ["child_messages", "siblings", "thread"].map(|name| message.get(name).is_some());
        assert_eq!(there, expected, "{names}");
    }
}

async fn roots_are_siblings_too(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one] = tree.add([("user", "one")]).await;
    let body = json!({"content": "uno", "create_branch": true});
    tree.patch(&format!("/messages/{one}"), &body).await.data(200);
    assert_eq!(said(&include(&tree, &one, "siblings").await["siblings"]), ["uno"]);
}

async fn what_to_include_is_checked(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, [one, ..]) = grown(&server).await;
    for names in ["parents", "children,everything", "Children"] {
        let answer = tree.get(&format!("/messages/{one}?include={names}")).await;
        assert_eq!(answer.invalid_fields(), ["include"], "{names}");
    }
}

async fn a_missing_message_is_not_found(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, [one, ..]) = grown(&server).await;
    let other = Tree {
        id: tree.user.new_conversation(&json!({})).await,
        user: tree.user.clone(),
    };
    for (tree, id) in [(&tree, token::new_uuid().to_string()), (&other, one)] {
        let path = format!("/messages/{id}");
        tree.get(&path).await.error(404, "MESSAGE_NOT_FOUND");
        tree.delete(&path).await.error(404, "MESSAGE_NOT_FOUND");
        let again = json!({"model": crate::support::MODEL});
        tree.post(&format!("{path}/regenerate"), &again)
            .await
            .error(404, "MESSAGE_NOT_FOUND");
    }
    assert_eq!(server.upstream.chats().len(), 0);
}
