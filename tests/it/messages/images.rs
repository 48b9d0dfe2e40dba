//! Content that is more than text.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{MODEL, Store, TestServer, Tree, on_each_store};

on_each_store!(
    images_are_stored_returned_and_passed_on,
    images_are_passed_on_from_a_merged_copy,
    an_image_can_take_the_place_of_text_and_text_that_of_an_image,
    parts_are_found_by_their_text,
    other_parts_are_refused,
);

fn picture(question: &str) -> Value {
    json!([
        {"type": "text", "text": question},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
    ])
}

async fn images_are_stored_returned_and_passed_on(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let parts = picture("What is this?");
    let body = json!({"model": MODEL, "conversation_id": tree.id, "message": parts});
    let turn = tree.chat_with(&body).await;
    let question = text(&turn.first()["user_message_id"]);
    assert_eq!(tree.message(&question).await["content"], parts);
    assert_eq!(tree.read().await["preview"], "What is this?");
    tree.chat("And now?").await;
    let sent = server.upstream.last_chat().json();
    assert_eq!(sent["messages"][0]["content"], parts, "also in later turns");
}

async fn images_are_passed_on_from_a_merged_copy(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let [one, _] = tree.add([("user", "one"), ("assistant", "first")]).await;
    let branch = tree.fork(&one).await;
    let parts = picture("And this?");
    tree.post("/messages", &json!({"role": "assistant", "content": "Yes?"}))
        .await
        .data(201);
    tree.post("/messages", &json!({"role": "user", "content": parts}))
        .await
        .data(201);
    let merged = tree
        .post(&format!("/branches/{branch}/merge"), &json!({}))
        .await
        .data(200);
    assert_eq!(merged["merged_message_count"], 2);
    let copy = tree.on(&main).await.pop().expect("a copy");
    assert_eq!(copy["content"], parts);

    tree.post(&format!("/branches/{main}/activate"), &json!({}))
        .await
        .data(200);
    let path = format!("/messages/{}/regenerate", text(&copy["id"]));
    let answer = tree.post(&path, &json!({"model": MODEL, "stream": false})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = server.upstream.last_chat().json();
    assert_eq!(sent["messages"][2]["content"], parts, "{sent}");
}

async fn an_image_can_take_the_place_of_text_and_text_that_of_an_image(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one] = tree.add([("user", "one")]).await;
    let path = format!("/messages/{one}");
    for content in [picture("Look:"), json!("one again")] {
        let edited = tree.patch(&path, &json!({"content": content})).await.data(200);
        assert_eq!(edited["content"], content);
        assert_eq!(tree.message(&one).await["content"], content);
    }
}

async fn parts_are_found_by_their_text(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    tree.post(
        "/messages",
        &json!({"role": "user", "content": picture("a Lighthouse")}),
    )
    .await
    .data(201);
    for (q, found) in [("lighthouse", 1), ("iVBORw0KGgo", 0), ("image_url", 0)] {
        let page = tree.post("/messages/search", &json!({"q": q})).await.data(200);
        assert_eq!(page["pagination"]["total"], found, "{q}");
    }
}

async fn other_parts_are_refused(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    for parts in [
        json!([{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]),
        json!([{"type": "text"}]),
        json!([{"text": "without a type"}]),
        json!(["text"]),
    ] {
        let answer = tree
            .post("/messages", &json!({"role": "user", "content": parts}))
            .await;
        answer.error(422, "VALIDATION_ERROR");
        let body = json!({"model": MODEL, "conversation_id": tree.id, "message": parts});
        tree.user.chat(&body).await.error(422, "VALIDATION_ERROR");
    }
    assert_eq!(tree.read().await["message_count"], 0);
}
