//! What is not answered, by the service or by the model.

use serde_json::json;

use super::{again, again_whole};
use crate::support::client::text;
use crate::support::{MODEL, Reply, Store, TestServer, Tree, on_each_store};

on_each_store!(
    a_model_that_refuses_leaves_the_branch_at_the_question,
    a_refused_question_can_be_answered_later_in_place,
    what_answers_nothing_is_not_answered_anew,
    an_answer_that_is_being_written_is_a_conflict,
    a_model_that_does_not_exist_changes_nothing,
    the_fields_are_checked,
);

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
