//! Adding and deleting messages without a model.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{Store, TestServer, Tree, on_each_store, token};

on_each_store!(
    an_added_message_is_answered_with_its_address,
    added_messages_are_what_a_model_is_sent,
    adding_below_another_message_forks_a_branch,
    a_parent_must_be_of_the_conversation,
    messages_are_limited,
    the_fields_of_a_message_are_checked,
    what_is_wrong_with_a_content_is_said_where_it_is,
    a_deleted_message_takes_what_follows_it,
    a_conversation_without_its_first_message_begins_anew,
);

async fn an_added_message_is_answered_with_its_address(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let metadata = json!({"from": "import", "n": 1.50});
    let body = json!({"role": "assistant", "content": "Hi", "metadata": metadata});
    let answer = tree.post("/messages", &body).await;
    let added = answer.data(201);
    let id = text(&added["id"]);
    assert_eq!(answer.header("location"), tree.path(&format!("/messages/{id}")));
    assert_eq!(
        (&added["role"], &added["content"]),
        (&json!("assistant"), &json!("Hi"))
    );
    assert_eq!(
        (&added["status"], &added["edited"]),
        (&json!("completed"), &json!(false))
    );
    assert_eq!(added["metadata"], metadata);
    assert_eq!(
        (&added["conversation_id"], &added["branch_id"]),
        (&json!(tree.id), &json!(tree.active().await))
    );
    for nobody_said in ["parent_id", "model", "usage", "finish_reason", "latency_ms"] {
        assert_eq!(added[nobody_said], Value::Null, "{nobody_said}");
    }
    assert_eq!(tree.message(&id).await, added);
    assert_eq!(server.upstream.chats().len(), 0, "no model is asked");
}

async fn added_messages_are_what_a_model_is_sent(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    tree.add([("system", "Be kind."), ("user", "one"), ("assistant", "first")])
        .await;
    tree.chat("two").await;
    let sent = server.upstream.last_chat().messages();
    let expected = [
        ("system", "Be kind."),
        ("user", "one"),
        ("assistant", "first"),
        ("user", "two"),
    ];
    assert_eq!(
        sent,
        expected.map(|(role, text)| (role.to_owned(), text.to_owned()))
    );
    assert_eq!(tree.read().await["preview"], "one");
}

async fn adding_below_another_message_forks_a_branch(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let [one, first] = tree.add([("user", "one"), ("assistant", "first")]).await;
    let at_the_head = json!({"role": "user", "content": "two", "parent_id": first});
    let added = tree.post("/messages", &at_the_head).await.data(201);
    assert_eq!(added["branch_id"], main);

    let elsewhere = json!({"role": "assistant", "content": "other", "parent_id": one});
    let added = tree.post("/messages", &elsewhere).await.data(201);
    assert_eq!(added["parent_id"], one);
    assert_ne!(added["branch_id"], main);
    assert_eq!(added["branch_id"], tree.active().await);
    let question = tree.message(&one).await;
    assert_eq!(question["children"], json!([first, added["id"]]));
    assert_eq!(question["has_branches"], true);
}

async fn a_parent_must_be_of_the_conversation(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one] = tree.add([("user", "one")]).await;
    let other = Tree {
        id: tree.user.new_conversation(&json!({})).await,
        user: tree.user.clone(),
    };
    for (field, value, code) in [
        ("parent_id", json!(one), "MESSAGE_NOT_FOUND"),
        ("parent_id", json!(token::new_uuid()), "MESSAGE_NOT_FOUND"),
        ("branch_id", json!(tree.active().await), "BRANCH_NOT_FOUND"),
        ("branch_id", json!(token::new_uuid()), "BRANCH_NOT_FOUND"),
    ] {
        let body = json!({"role": "user", "content": "two", field: value});
        other.post("/messages", &body).await.error(404, code);
    }
    assert_eq!(other.read().await["message_count"], 0, "nothing was stored");
}

async fn messages_are_limited(store: Store) {
    let server = TestServer::on_with(store, [("MAX_MESSAGES_PER_CONVERSATION", "3")]).await;
    let tree = Tree::new(&server).await;
    let [one, first] = tree.add([("user", "one"), ("assistant", "first")]).await;
    tree.fork(&one).await;
    tree.add([("assistant", "second")]).await;
    let beside = json!({"content": "another one", "create_branch": true});
    for refused in [
        tree.post("/messages", &json!({"role": "user", "content": "two"}))
            .await,
        tree.patch(&format!("/messages/{one}"), &beside).await,
        tree.post(&format!("/messages/{first}/regenerate"), &json!({"model": "m"}))
            .await,
        tree.post(&format!("/branches/{}/merge", tree.active().await), &json!({}))
            .await,
        tree.user.chat(&tree.ask("two")).await,
    ] {
        let error = refused.error(409, "LIMIT_REACHED");
        assert_eq!(
            (&error["details"]["limit"], &error["details"]["current"]),
            (&json!(3), &json!(3))
        );
    }
    let conversation = tree.read().await;
    assert_eq!(
        (&conversation["message_count"], &conversation["branch_count"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(server.upstream.chats().len(), 0);
}

async fn the_fields_of_a_message_are_checked(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    for (field, value) in [
        ("content", json!("")),
        ("content", Value::Null),
        ("content", json!(5)),
        ("content", json!([])),
        ("content", json!("x".repeat(32_001))),
        ("content", json!([{"type": "image_url", "image_url": {}}])),
        ("role", Value::Null),
        ("role", json!("tool")),
        ("role", json!("robot")),
        ("parent_id", json!("42")),
        ("branch_id", json!(42)),
        ("metadata", json!([1])),
        (
            "metadata",
            json!({"merged_from": {"branch_id": tree.id, "message_id": tree.id}}),
        ),
        ("metadata", json!({"mine": 1, "merged_from": null})),
        ("metadata", json!({"big": "x".repeat(10_240)})),
    ] {
        let mut body = json!({"role": "user", "content": "Hi"});
        body[field] = value.clone();
        let answer = tree.post("/messages", &body).await;
        assert_eq!(
            answer.status,
            422,
            "{field} = {:.40}: {answer:?}",
            value.to_string()
        );
        let named = answer.invalid_fields();
        assert!(
            named.len() == 1 && named[0].starts_with(field),
            "{field} in {named:?}"
        );
    }
    for missing in ["role", "content"] {
        let mut body = json!({"role": "user", "content": "Hi"});
        body.as_object_mut().expect("an object").remove(missing);
        assert_eq!(tree.post("/messages", &body).await.invalid_fields(), [missing]);
    }
    assert_eq!(tree.read().await["message_count"], 0, "nothing was stored");
}

async fn what_is_wrong_with_a_content_is_said_where_it_is(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let part = json!({"type": "text", "text": "Hi"});
    for (content, field, message) in [
        (
            json!(null),
            "content",
            "is not valid: invalid type: null, expected text, or a list of content parts",
        ),
        (json!([part, {"type": "text"}]), "content[1].text", "is required"),
        (
            json!([part, {"type": "sound"}]),
            "content[1].type",
            "must be one of text, image_url",
        ),
    ] {
        let body = json!({"role": "user", "content": content});
        let error = tree.post("/messages", &body).await.error(422, "VALIDATION_ERROR");
        let expected = json!([{"field": field, "message": message}]);
        assert_eq!(error["details"]["field_errors"], expected);
    }
}

async fn a_deleted_message_takes_what_follows_it(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let before = tree.chat("one").await;
    let gone = tree.chat("two").await;
    let branch = tree.fork(&gone.question).await;
    tree.add_on(&branch, "assistant", "another second").await;

    let deleted = tree
        .delete(&format!("/messages/{}", gone.question))
        .await
        .data(200);
    assert_eq!(
        deleted,
        json!({"id": gone.question, "deleted": true, "deleted_message_count": 3})
    );
    for id in [&main, &branch] {
        assert_eq!(tree.branch(id).await["head_message_id"], before.answer);
    }
    let conversation = tree.read().await;
    assert_eq!(
        (&conversation["message_count"], &conversation["total_tokens"]),
        (&json!(2), &json!(8))
    );
    for missing in [&gone.question, &gone.answer] {
        tree.get(&format!("/messages/{missing}"))
            .await
            .error(404, "MESSAGE_NOT_FOUND");
        tree.delete(&format!("/messages/{missing}"))
            .await
            .error(404, "MESSAGE_NOT_FOUND");
    }
    let mut ledger = server.ledger().await;
    assert_eq!(
        ledger.entries().await.len(),
        2,
        "what was used stays in the ledger"
    );
    tree.chat("three").await;
    let sent: Vec<_> = server.upstream.last_chat().messages();
    assert_eq!(sent.len(), 3, "{sent:?}");
}

async fn a_conversation_without_its_first_message_begins_anew(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let first = tree.chat("one").await;
    tree.delete(&format!("/messages/{}", first.question))
        .await
        .data(200);
    let conversation = tree.read().await;
    assert_eq!(
        (&conversation["message_count"], &conversation["preview"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(conversation["branches"][0]["head_message_id"], Value::Null);
    tree.chat("anew").await;
    assert_eq!(server.upstream.last_chat().messages().len(), 1);
    assert_eq!(tree.read().await["preview"], "anew");
}
