//! Reading one conversation, and deleting it.

use serde_json::json;

use super::{ROUTE, list};
use crate::support::client::text;
use crate::support::{MODEL, Store, TestServer, Tree, on_each_store, token};

on_each_store!(
    a_conversation_is_read_with_its_branches,
    everything_is_read_flat_and_as_a_tree,
    the_tree_can_be_left_out,
    one_path_can_be_read_alone,
    the_totals_follow_the_messages,
    a_deleted_conversation_is_gone,
);

async fn a_conversation_is_read_with_its_branches(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Plans").await;
    let read = conversation.read().await;
    assert_eq!(
        (&read["id"], &read["title"]),
        (&json!(conversation.id), &json!("Plans"))
    );
    let branches = read["branches"].as_array().expect("branches");
    assert_eq!(branches.len(), 1);
    assert_eq!(branches[0]["name"], "Main");
    assert_eq!(branches[0]["id"], read["active_branch_id"]);
}

async fn everything_is_read_flat_and_as_a_tree(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Plans").await;
    let [question, north] = conversation
        .add([("user", "Where to?"), ("assistant", "North")])
        .await;
    let south = conversation.add_after(&question, "assistant", "South").await;
    let full = conversation.full().await;
    let said: Vec<_> = full["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| (text(&message["id"]), text(&message["content"])))
        .collect();
    let expected = [(&question, "Where to?"), (&north, "North"), (&south, "South")];
    assert_eq!(said, expected.map(|(id, said)| (id.clone(), said.to_owned())));
    let leaf = |id| json!({"id": id, "children": []});
    let tree = json!([{"id": question, "children": [leaf(north), leaf(south)]}]);
    assert_eq!(full["tree"], tree);
    assert_eq!(full["branches"].as_array().map(Vec::len), Some(2));
    assert_eq!(full["conversation"]["message_count"], 3);
    assert_eq!(full["conversation"]["preview"], "Where to?");
}

async fn the_tree_can_be_left_out(store: Store) {
    let server = TestServer::on(store).await;
    let conversation = Tree::new(&server).await;
    conversation
        .add([("user", "Where to?"), ("assistant", "North")])
        .await;
    let with = conversation.full().await;
    assert_eq!(conversation.get("/full?tree=true").await.data(200), with);
    let mut without = with;
    without.as_object_mut().expect("an object").remove("tree");
    assert_eq!(conversation.get("/full?tree=false").await.data(200), without);
    let answer = conversation.get("/full?tree=flat").await;
    assert_eq!(answer.invalid_fields(), ["tree"]);
}

async fn one_path_can_be_read_alone(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Plans").await;
    let [question, north] = conversation
        .add([("user", "Where to?"), ("assistant", "North")])
        .await;
    conversation.add_after(&question, "assistant", "South").await;

    let main = text(&conversation.read().await["branches"][0]["id"]);
    let path = conversation.path(&format!("/full?branch_id={main}"));
    let full = user.get(&path).await.data(200);
    let tree = json!([{"id": question, "children": [{"id": north, "children": []}]}]);
    assert_eq!(full["tree"], tree);
    assert_eq!(full["messages"].as_array().map(Vec::len), Some(2));

    let theirs = server.user();
    let other = Tree::titled(&theirs, "Other").await.read().await;
    for no_branch_here in [text(&other["active_branch_id"]), token::new_uuid().to_string()] {
        let path = conversation.path(&format!("/full?branch_id={no_branch_here}"));
        user.get(&path).await.error(404, "BRANCH_NOT_FOUND");
    }
    let path = conversation.path("/full?branch_id=main");
    assert_eq!(user.get(&path).await.invalid_fields(), ["branch_id"]);
}

async fn the_totals_follow_the_messages(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let asked = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    let transcript = asked.finish().await;
    let read = user
        .get(&format!("{ROUTE}/{}", transcript.conversation()))
        .await
        .data(200);
    assert_eq!(read["message_count"], 2);
    assert_eq!(read["total_tokens"], 8);
    assert_eq!(read["preview"], "Hi");
    assert!(read["last_message_at"].is_string(), "{read}");
}

async fn a_deleted_conversation_is_gone(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Quantum").await;
    conversation.add([("user", "quantum")]).await;
    let deleted = conversation.delete("").await.data(200);
    assert_eq!(deleted, json!({"id": conversation.id, "deleted": true}));
    for below in [
        "",
        "/full",
        "/stream",
        "/export",
        "/export?format=csv",
        "/branches",
        "/messages",
    ] {
        let answer = conversation.get(below).await;
        answer.error(404, "CONVERSATION_NOT_FOUND");
    }
    let change = conversation.patch("", &json!({"title": "Again"})).await;
    change.error(404, "CONVERSATION_NOT_FOUND");
    conversation.delete("").await.error(404, "CONVERSATION_NOT_FOUND");
    for query in ["?status=all", "/search?q=quantum"] {
        assert_eq!(list(&user, query).await["items"], json!([]), "{query}");
    }
    assert_eq!(list(&user, "/stats").await["messages"], 0);
    user.chat(&json!({"model": MODEL, "message": "Hi", "conversation_id": conversation.id}))
        .await
        .error(404, "CONVERSATION_NOT_FOUND");
}
