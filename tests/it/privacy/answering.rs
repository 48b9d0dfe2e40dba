//! Erasing while answers are written.

use serde_json::json;

use super::{EXPORT, count, erase, server};
use crate::balance::{balance, message, messages, nano};
use crate::support::{MODEL, Reply, Store, TestServer, Tree, eventually, on_each_store};

on_each_store!(
    an_answer_is_stopped_and_not_stored,
    what_is_stateless_is_stopped_and_charged,
    a_stream_cannot_be_read_again,
);

async fn nothing_is_kept(server: &TestServer, user: uuid::Uuid) {
    // Late as it is, the end of an answer changes nothing.
    eventually("the end of all answers", async || {
        (server.tracked_tasks() == 0).then_some(())
    })
    .await;
    assert_eq!(server.ledger().await.mentions(user).await, [""; 0]);
}

async fn an_answer_is_stopped_and_not_stored(store: Store) {
    let server = server(store, "1").await;
    let tree = Tree::new(&server).await;
    let reply = Reply::stream().text("one").hang();
    server.upstream.script(MODEL, [reply]);
    let body = json!({"model": MODEL, "message": "Hi", "conversation_id": tree.id, "max_tokens": 100});
    let mut stream = tree.user.chat_stream(&body).await;
    stream.until_text("one").await;
    assert!(nano(&balance(&tree.user).await["reserved"]) > 0);
    let erased = erase(&tree.user).await;
    assert_eq!(
        (count(&erased, "messages"), count(&erased, "unfinished_answers")),
        (2, 0)
    );
    stream.finish().await;
    nothing_is_kept(&server, tree.user.user).await;
    let back = balance(&tree.user).await;
    assert_eq!(nano(&back["reserved"]), 0);
    assert!(nano(&back["spend"]) > 0, "what was produced is charged: {back}");
}

async fn what_is_stateless_is_stopped_and_charged(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let replies = [Reply::stream().text("one").hang(), Reply::silent()];
    server.upstream.script(MODEL, replies);
    let mut stream = user.chat_stream(&messages(true)).await;
    stream.until_text("one").await;
    let asking = user.clone();
    let (whole, erased) = tokio::join!(async { asking.chat(&messages(false)).await }, async {
        eventually("both to be asked", async || {
            (server.upstream.chats().len() == 2).then_some(())
        })
        .await;
        erase(&user).await
    });
    assert_ne!(whole.status, 200, "{whole:?}");
    assert_eq!(count(&erased, "unfinished_answers"), 0);
    assert_eq!(count(&erased, "usage_events"), 2);
    stream.finish().await;
    nothing_is_kept(&server, user.user).await;
    assert!(nano(&balance(&user).await["spend"]) > 0);
}

async fn a_stream_cannot_be_read_again(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let stream = user.chat_stream(&message(true)).await;
    let path = format!("/v1/chat/streams/{}", stream.stream_id());
    stream.finish().await;
    assert_eq!(user.get(&path).await.status, 200);
    erase(&user).await;
    user.get(&path).await.error(404, "STREAM_NOT_FOUND");
    assert_eq!(user.get(EXPORT).await.json()["conversations"], json!([]));
}
