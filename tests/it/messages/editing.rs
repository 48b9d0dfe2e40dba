//! Other words for a question: in its place, or beside it.

use serde_json::json;

use crate::support::client::text;
use crate::support::{Store, TestServer, Tree, on_each_store, token};

on_each_store!(
    an_edit_in_place_changes_the_message_alone,
    the_next_answer_knows_the_edited_text,
    an_edit_beside_makes_a_branch_and_leaves_the_original,
    the_branch_of_an_edit_can_be_named_and_gone_on_with,
    even_the_first_message_can_be_edited_beside,
    only_questions_are_edited,
    editing_can_be_switched_off,
    the_fields_of_an_edit_are_checked,
);

async fn an_edit_in_place_changes_the_message_alone(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let turn = tree.chat("one").await;
    let answer = tree.message(&turn.answer).await;
    let path = format!("/messages/{}", turn.question);
    let edited = tree.patch(&path, &json!({"content": "uno"})).await.data(200);
    assert_eq!(
        (&edited["id"], &edited["content"]),
        (&json!(turn.question), &json!("uno"))
    );
    assert_eq!(edited["edited"], true);
    assert!(edited.get("branch").is_none(), "{edited}");
    assert_eq!(tree.message(&turn.question).await, edited);
    assert_eq!(tree.message(&turn.answer).await, answer, "what follows it stays");
    let conversation = tree.read().await;
    assert_eq!(
        (&conversation["preview"], &conversation["branch_count"]),
        (&json!("uno"), &json!(1))
    );
}

async fn the_next_answer_knows_the_edited_text(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let turn = tree.chat("one").await;
    let path = format!("/messages/{}", turn.question);
    tree.patch(&path, &json!({"content": "uno"})).await.data(200);
    tree.chat("two").await;
    assert_eq!(server.upstream.last_chat().messages()[0].1, "uno");
}

async fn an_edit_beside_makes_a_branch_and_leaves_the_original(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let first = tree.chat("one").await;
    let second = tree.chat("two").await;
    let original = tree.message(&second.question).await;
    let body = json!({"content": "dos", "create_branch": true});
    let path = format!("/messages/{}", second.question);
    let edited = tree.patch(&path, &body).await.data(200);
    let branch = &edited["branch"];
    assert_ne!(edited["id"], second.question);
    assert_eq!(
        (&edited["content"], &edited["parent_id"]),
        (&json!("dos"), &json!(first.answer))
    );
    assert_eq!(
        (&branch["id"], &branch["is_active"]),
        (&edited["branch_id"], &json!(true))
    );
    assert_eq!(
        (&branch["parent_message_id"], &branch["head_message_id"]),
        (&json!(first.answer), &edited["id"])
    );
    assert_eq!(tree.active().await, text(&branch["id"]));
    assert_eq!(tree.message(&second.question).await, original);
    assert_eq!(
        tree.texts(&main).await,
        ["one", "Hello there!", "two", "Hello there!"]
    );
    assert_eq!(server.upstream.chats().len(), 2, "no model is asked");
}

async fn the_branch_of_an_edit_can_be_named_and_gone_on_with(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let turn = tree.chat("one").await;
    let body = json!({"content": "uno", "create_branch": true, "branch_name": "Spanish"});
    let edited = tree
        .patch(&format!("/messages/{}", turn.question), &body)
        .await
        .data(200);
    assert_eq!(edited["branch"]["name"], "Spanish");
    let branch = text(&edited["branch_id"]);

    let path = tree.path(&format!("/messages/{}/regenerate", text(&edited["id"])));
    let body = json!({"model": crate::support::MODEL, "stream": false});
    assert_eq!(tree.user.post(&path, &body).await.status, 200);
    assert_eq!(
        server.upstream.last_chat().messages(),
        [("user".to_owned(), "uno".to_owned())]
    );
    tree.chat("dos").await;
    assert_eq!(
        tree.texts(&branch).await,
        ["uno", "Hello there!", "dos", "Hello there!"]
    );
}

async fn even_the_first_message_can_be_edited_beside(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let turn = tree.chat("one").await;
    let body = json!({"content": "uno", "create_branch": true});
    let edited = tree
        .patch(&format!("/messages/{}", turn.question), &body)
        .await
        .data(200);
    assert!(
        edited["parent_id"].is_null() && edited["branch"]["parent_message_id"].is_null(),
        "{edited}"
    );
    let full = tree.get("/full").await.data(200);
    let roots: Vec<_> = full["tree"]
        .as_array()
        .expect("roots")
        .iter()
        .map(|root| &root["id"])
        .collect();
    assert_eq!(roots, [&json!(turn.question), &edited["id"]]);
    assert_eq!(
        tree.read().await["preview"],
        "one",
        "the first message is still the first"
    );
}

async fn only_questions_are_edited(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [rules, _, answer] = tree
        .add([("system", "Be kind."), ("user", "one"), ("assistant", "first")])
        .await;
    for id in [rules, answer] {
        for beside in [false, true] {
            let body = json!({"content": "changed", "create_branch": beside});
            let refused = tree.patch(&format!("/messages/{id}"), &body).await;
            refused.error(409, "CONFLICT");
            assert_eq!(refused.header("x-should-retry"), "false");
        }
    }
    assert_eq!(
        tree.texts(&tree.active().await).await,
        ["Be kind.", "one", "first"]
    );
    let missing = format!("/messages/{}", token::new_uuid());
    tree.patch(&missing, &json!({"content": "x"}))
        .await
        .error(404, "MESSAGE_NOT_FOUND");
}

async fn editing_can_be_switched_off(store: Store) {
    let server = TestServer::on_with(store, [("ENABLE_MESSAGE_EDITING", "false")]).await;
    let tree = Tree::new(&server).await;
    let [one] = tree.add([("user", "one")]).await;
    for beside in [false, true] {
        let body = json!({"content": "uno", "create_branch": beside});
        let refused = tree.patch(&format!("/messages/{one}"), &body).await;
        let error = refused.error(403, "FEATURE_DISABLED");
        assert_eq!(error["type"], "permission_error");
    }
    assert_eq!(tree.texts(&tree.active().await).await, ["one"]);
}

async fn the_fields_of_an_edit_are_checked(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one] = tree.add([("user", "one")]).await;
    for (body, field) in [
        (json!({}), "content"),
        (json!({"content": ""}), "content"),
        (json!({"content": "x".repeat(32_001)}), "content"),
        (json!({"content": "x", "create_branch": "yes"}), "create_branch"),
        (
            json!({"content": "x", "branch_name": "without a branch"}),
            "branch_name",
        ),
        (
            json!({"content": "x", "create_branch": true, "branch_name": ""}),
            "branch_name",
        ),
        (
            json!({"content": "x", "create_branch": true, "branch_name": "x".repeat(101)}),
            "branch_name",
        ),
    ] {
        let answer = tree.patch(&format!("/messages/{one}"), &body).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
        assert_eq!(answer.invalid_fields(), [field], "{body}");
    }
    assert_eq!(tree.message(&one).await["edited"], false);
}
