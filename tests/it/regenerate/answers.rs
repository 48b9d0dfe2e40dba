//! Where the new answer goes, and what the model is asked.

use reqwest::Method;
use serde_json::json;

use super::{again, again_whole};
use crate::support::client::text;
use crate::support::{Answer, MODEL, Reply, Store, TestServer, Tree, on_each_store};

on_each_store!(
    another_answer_is_streamed_onto_a_new_branch,
    another_answer_can_be_taken_whole,
    a_question_without_an_answer_is_answered_in_place,
    a_question_with_an_answer_is_answered_beside_it,
    wishes_reach_the_model_and_the_branch,
    the_model_is_the_conversations_where_none_is_named,
    later_messages_are_not_what_the_model_is_sent,
);

async fn another_answer_is_streamed_onto_a_new_branch(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let turn = tree.chat("one").await;
    server.upstream.script(MODEL, [Reply::answer(["an", "other"])]);
    let stream = again(&tree, &turn.answer, json!({})).await;
    let (first, last) = (stream.first(), stream.last());
    assert_eq!(stream.text(), "another");
    assert_eq!(
        first["choices"][0]["delta"],
        json!({"role": "assistant"}),
        "as chat is streamed"
    );
    assert_eq!(
        (&first["user_message_id"], &first["conversation_id"]),
        (&json!(turn.question), &json!(tree.id))
    );
    assert_eq!(
        (&last["choices"], &last["usage"]["total_tokens"]),
        (&json!([]), &json!(8))
    );

    let branch = text(&first["branch_id"]);
    assert_eq!(tree.active().await, branch);
    let made = tree.branch(&branch).await;
    assert_eq!(
        (&made["parent_message_id"], &made["head_message_id"]),
        (&json!(turn.question), &json!(stream.message()))
    );
    assert_eq!(tree.texts(&branch).await, ["one", "another"]);
    assert_eq!(
        tree.texts(&main).await,
        ["one", "Hello there!"],
        "the first answer stays"
    );
    let question = tree.message(&turn.question).await;
    assert_eq!(question["children"], json!([turn.answer, stream.message()]));
    assert_eq!(server.ledger().await.entries().await.len(), 2);
}

async fn another_answer_can_be_taken_whole(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let turn = tree.chat("one").await;
    let answer = again_whole(&tree, &turn.answer).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(
        (&body["object"], &body["user_message_id"]),
        (&json!("chat.completion"), &json!(turn.question))
    );
    let stored = tree.message(&text(&body["message_id"])).await;
    assert_eq!(
        (&stored["content"], &stored["branch_id"]),
        (&json!("Hello there!"), &body["branch_id"])
    );
}

async fn a_question_without_an_answer_is_answered_in_place(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let [one] = tree.add([("user", "one")]).await;
    let stream = again(&tree, &one, json!({"branch_name": "not needed"})).await;
    assert_eq!(stream.first()["branch_id"], main);
    assert_eq!(tree.texts(&main).await, ["one", "Hello there!"]);
    assert_eq!(tree.read().await["branch_count"], 1);
}

async fn a_question_with_an_answer_is_answered_beside_it(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let turn = tree.chat("one").await;
    let stream = again(&tree, &turn.question, json!({})).await;
    assert_ne!(stream.message(), turn.answer);
    let answer = tree
        .get(&format!("/messages/{}?include=siblings", turn.answer))
        .await
        .data(200);
    assert_eq!(answer["siblings"][0]["id"], stream.message());
    assert_eq!(tree.read().await["branch_count"], 2);
}

async fn wishes_reach_the_model_and_the_branch(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let turn = tree.chat("one").await;
    let body = json!({
        "temperature": 0.25,
        "max_tokens": 7,
        "system_message": "Be brief.",
        "branch_name": "Colder",
    });
    let stream = again(&tree, &turn.answer, body).await;
    let sent = server.upstream.last_chat();
    let expected = [("system", "Be brief."), ("user", "one")];
    assert_eq!(
        sent.messages(),
        expected.map(|(role, text)| (role.to_owned(), text.to_owned()))
    );
    let sent = sent.json();
    assert_eq!(
        (&sent["temperature"], &sent["max_tokens"]),
        (&json!(0.25), &json!(7))
    );
    let branch = tree.branch(&text(&stream.first()["branch_id"])).await;
    assert_eq!(branch["name"], "Colder");
}

async fn the_model_is_the_conversations_where_none_is_named(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let id = user
        .new_conversation(&json!({"model": "the-conversations"}))
        .await;
    let tree = Tree { user, id };
    let [one] = tree.add([("user", "one")]).await;
    let path = format!("/messages/{one}/regenerate");
    let answer = tree.post(&path, &json!({"stream": false})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(server.upstream.last_chat().model(), "the-conversations");
    assert_eq!(
        tree.message(&text(&answer.json()["message_id"])).await["model"],
        "the-conversations"
    );

    let again = Answer::to(tree.user.request(Method::POST, &tree.path(&path))).await;
    assert_eq!(again.status, 200, "not even a body is needed: {again:?}");

    let without = Tree::new(&server).await;
    let [one] = without.add([("user", "one")]).await;
    let answer = without
        .post(&format!("/messages/{one}/regenerate"), &json!({}))
        .await;
    assert_eq!(answer.invalid_fields(), ["model"]);
}

async fn later_messages_are_not_what_the_model_is_sent(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    tree.chat("one").await;
    let second = tree.chat("two").await;
    tree.chat("three").await;
    again(&tree, &second.answer, json!({})).await;
    let sent = server.upstream.last_chat().messages();
    let expected = [("user", "one"), ("assistant", "Hello there!"), ("user", "two")];
    assert_eq!(
        sent,
        expected.map(|(role, text)| (role.to_owned(), text.to_owned()))
    );
}
