//! Reading one conversation, and what those see for whom there is none.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ROUTE, list, without_ids};
use crate::support::client::text;
use crate::support::{Answer, Client, Conversation, MODEL, Store, TestServer, on_each_store, token};

/// What may be asked of a conversation.
const REQUESTS: [(Method, &str, &str); 7] = [
    (Method::GET, "", ""),
    (Method::PATCH, "", r#"{"title":"mine now"}"#),
    (Method::DELETE, "", ""),
    (Method::GET, "/full", ""),
    (Method::GET, "/stream", ""),
    (Method::GET, "/export", ""),
    (Method::GET, "/export?format=csv", ""),
];

async fn refusal(user: &Client, id: &str, request: &(Method, &str, &str)) -> String {
    let (method, below, body) = request;
    let request = user.request(method.clone(), &format!("{ROUTE}/{id}{below}"));
    let request = match *body {
        "" => request,
        body => request
            .header("content-type", "application/json")
            .body(body.to_owned()),
    };
    let answer = Answer::to(request).await;
    answer.error(404, "CONVERSATION_NOT_FOUND");
    without_ids(&answer, id)
}

async fn a_conversation_is_read_with_its_branches(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Conversation::titled(&user, "Plans").await;
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
    let conversation = Conversation::titled(&user, "Plans").await;
    let question = conversation.say("user", "Where to?").await;
    let north = conversation.say("assistant", "North").await;
    let south = conversation.say_after(&question, "assistant", "South").await;
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

async fn one_path_can_be_read_alone(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Conversation::titled(&user, "Plans").await;
    let question = conversation.say("user", "Where to?").await;
    let north = conversation.say("assistant", "North").await;
    conversation.say_after(&question, "assistant", "South").await;

    let main = text(&conversation.read().await["branches"][0]["id"]);
    let path = conversation.route(&format!("/full?branch_id={main}"));
    let full = user.get(&path).await.data(200);
    let tree = json!([{"id": question, "children": [{"id": north, "children": []}]}]);
    assert_eq!(full["tree"], tree);
    assert_eq!(full["messages"].as_array().map(Vec::len), Some(2));

    let theirs = server.user();
    let other = Conversation::titled(&theirs, "Other").await.read().await;
    for no_branch_here in [text(&other["active_branch_id"]), token::new_uuid().to_string()] {
        let path = conversation.route(&format!("/full?branch_id={no_branch_here}"));
        user.get(&path).await.error(404, "BRANCH_NOT_FOUND");
    }
    let path = conversation.route("/full?branch_id=main");
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

async fn what_is_no_id_is_never_looked_up(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for no_id in [
        "1",
        "main",
        "..%2Fstats",
        "019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a1",
        "%00",
    ] {
        let answer = user.get(&format!("{ROUTE}/{no_id}")).await;
        assert_eq!(answer.invalid_fields(), ["id"], "{no_id}");
    }
}

async fn a_foreign_conversation_looks_like_none(store: Store) {
    let server = TestServer::on(store).await;
    let (them, me) = (server.user(), server.user());
    let theirs = Conversation::titled(&them, "theirs").await;
    let before = theirs.full().await;
    let missing = token::new_uuid().to_string();
    for request in &REQUESTS {
        assert_eq!(
            refusal(&me, &theirs.id, request).await,
            refusal(&me, &missing, request).await,
            "{request:?}"
        );
    }
    assert_eq!(theirs.full().await, before, "and nothing happened to it");
}

async fn a_deleted_conversation_is_gone(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Conversation::titled(&user, "Quantum").await;
    conversation.say("user", "quantum").await;
    let deleted = user.delete(&conversation.route("")).await.data(200);
    assert_eq!(deleted, json!({"id": conversation.id, "deleted": true}));
    for request in &REQUESTS {
        refusal(&user, &conversation.id, request).await;
    }
    for query in ["?status=all", "/search?q=quantum"] {
        assert_eq!(list(&user, query).await["items"], json!([]), "{query}");
    }
    assert_eq!(list(&user, "/stats").await["messages"], 0);
    user.chat(&json!({"model": MODEL, "message": "Hi", "conversation_id": conversation.id}))
        .await
        .error(404, "CONVERSATION_NOT_FOUND");
}

async fn without_a_token_nothing_is_told(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Conversation::titled(&user, "Plans").await;
    let stranger = server.anonymous();
    for path in [
        conversation.route(""),
        conversation.route("/export"),
        ROUTE.to_owned(),
    ] {
        let answer = stranger.get(&path).await;
        answer.error(401, "MISSING_AUTH_HEADER");
    }
    let answer = Answer::to(stranger.request(Method::DELETE, &conversation.route(""))).await;
    answer.error(401, "MISSING_AUTH_HEADER");
    assert_ne!(conversation.read().await, Value::Null);
}

on_each_store!(
    a_conversation_is_read_with_its_branches,
    everything_is_read_flat_and_as_a_tree,
    one_path_can_be_read_alone,
    the_totals_follow_the_messages,
    what_is_no_id_is_never_looked_up,
    a_foreign_conversation_looks_like_none,
    a_deleted_conversation_is_gone,
    without_a_token_nothing_is_told,
);
