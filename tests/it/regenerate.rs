//! Answering a message anew.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{Answer, EventStream, MODEL, Reply, Store, TestServer, Transcript, Tree, on_each_store};

on_each_store!(
    another_answer_is_streamed_onto_a_new_branch,
    another_answer_can_be_taken_whole,
    a_question_without_an_answer_is_answered_in_place,
    a_question_with_an_answer_is_answered_beside_it,
    wishes_reach_the_model_and_the_branch,
    the_model_is_the_conversations_where_none_is_named,
    later_messages_are_not_what_the_model_is_sent,
    a_model_that_refuses_leaves_the_branch_at_the_question,
    a_refused_question_can_be_answered_later_in_place,
    what_answers_nothing_is_not_answered_anew,
    an_answer_that_is_being_written_is_a_conflict,
    a_model_that_does_not_exist_changes_nothing,
    the_fields_are_checked,
);

/// Has a message answered anew, streamed.
async fn again(tree: &Tree, message: &str, mut body: Value) -> Transcript {
    body["model"] = json!(MODEL);
    let path = tree.path(&format!("/messages/{message}/regenerate"));
    let request = tree.user.request(Method::POST, &path).json(&body);
    EventStream::open(request).await.finish().await
}

/// What comes of it where it is not streamed.
async fn again_whole(tree: &Tree, message: &str) -> Answer {
    let body = json!({"model": MODEL, "stream": false});
    tree.post(&format!("/messages/{message}/regenerate"), &body).await
}

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

async fn a_model_that_refuses_leaves_the_branch_at_the_question(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let turn = tree.chat("one").await;
    server
        .upstream
        .script(MODEL, [Reply::error(400, "invalid_request_error", "not today")]);
    for stream in [true, false] {
        let body = json!({"model": MODEL, "stream": stream});
        let refused = tree
            .post(&format!("/messages/{}/regenerate", turn.answer), &body)
            .await;
        refused.error(422, "UPSTREAM_REJECTED");
        let branch = tree.branch(&tree.active().await).await;
        assert_eq!(branch["is_main"], false);
        assert_eq!(branch["head_message_id"], turn.question);
        let question = tree.message(&turn.question).await;
        assert_eq!(
            question["children"],
            json!([turn.answer]),
            "no empty answer is left"
        );
    }
    assert_eq!(tree.read().await["message_count"], 2);
    server.upstream.script(MODEL, [Reply::answer(["better"])]);
    assert_eq!(again(&tree, &turn.answer, json!({})).await.text(), "better");
}

async fn a_refused_question_can_be_answered_later_in_place(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let refusal = Reply::error(400, "invalid_request_error", "not today");
    server.upstream.script(MODEL, [refusal, Reply::answer(["now"])]);
    tree.user
        .chat(&tree.ask("one"))
        .await
        .error(422, "UPSTREAM_REJECTED");
    let main = tree.active().await;
    let question = text(&tree.on(&main).await[0]["id"]);
    again(&tree, &question, json!({})).await;
    assert_eq!(tree.texts(&main).await, ["one", "now"]);
}

async fn what_answers_nothing_is_not_answered_anew(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [greeting] = tree.add([("assistant", "Welcome!")]).await;
    let [rules] = tree.add([("system", "Be kind.")]).await;
    for id in [greeting, rules] {
        let refused = again_whole(&tree, &id).await;
        refused.error(409, "CONFLICT");
        assert_eq!(refused.header("x-should-retry"), "false");
    }
    assert_eq!(server.upstream.chats().len(), 0);
}

async fn an_answer_that_is_being_written_is_a_conflict(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let running = tree.begin_answer(&server, "one").await;
    let ids = ["user_message_id", "message_id"].map(|name| text(&running.first[name]));
    for id in ids {
        let refused = again_whole(&tree, &id).await;
        let error = refused.error(409, "GENERATION_IN_PROGRESS");
        assert_eq!(error["details"]["stream_id"], running.stream.stream_id());
        assert_eq!(refused.header("x-should-retry"), "false");
    }
    assert_eq!(server.upstream.chats().len(), 1);
    running.gate.open();
    let answer = running.stream.finish().await.message();
    let other = again(&tree, &answer, json!({})).await;
    assert_eq!(other.text(), "next", "afterwards it is none");
}

async fn a_model_that_does_not_exist_changes_nothing(store: Store) {
    let server = TestServer::on_with(store, [("LITELLM_URL", "")]).await;
    let user = server.user();
    let id = user.new_conversation(&json!({})).await;
    let tree = Tree { user, id };
    let [one] = tree.add([("user", "one")]).await;
    let body = json!({"model": "no/such-model"});
    let refused = tree.post(&format!("/messages/{one}/regenerate"), &body).await;
    refused.error(404, "MODEL_NOT_FOUND");
    assert_eq!(tree.read().await["message_count"], 1);
}

async fn the_fields_are_checked(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let turn = tree.chat("one").await;
    for (field, value) in [
        ("model", json!("")),
        ("model", json!("m".repeat(101))),
        ("temperature", json!(2.1)),
        ("max_tokens", json!(0)),
        ("system_message", json!("x".repeat(8_001))),
        ("branch_name", json!("")),
        ("branch_name", json!("x".repeat(101))),
        ("branch_name", json!("a\u{7}")),
        ("stream", json!("yes")),
    ] {
        let mut body = json!({"model": MODEL});
        body[field] = value.clone();
        let answer = tree
            .post(&format!("/messages/{}/regenerate", turn.answer), &body)
            .await;
        assert_eq!(
            answer.status,
            422,
            "{field} = {:.40}: {answer:?}",
            value.to_string()
        );
        assert_eq!(answer.invalid_fields(), [field]);
    }
    assert_eq!(server.upstream.chats().len(), 1, "only the first answer");
    assert_eq!(tree.read().await["branch_count"], 1);
}
