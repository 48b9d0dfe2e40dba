//! One operation on many conversations.

use serde_json::{Value, json};

use super::{ROUTE, list, titles};
use crate::support::client::text;
use crate::support::{Answer, Client, MODEL, Store, TestServer, Tree, on_each_store};

on_each_store!(
    one_that_fails_leaves_the_others_done,
    each_operation_does_what_it_does_to_one,
    a_batch_has_a_size,
    a_batch_that_is_refused_does_nothing,
    batches_can_be_switched_off,
);

async fn batch(user: &Client, request: &Value) -> Answer {
    user.post(&format!("{ROUTE}/batch"), request).await
}

/// What became of each: its id, and the code of its error.
fn results(report: &Value) -> Vec<(String, Option<String>)> {
    let results = report["results"].as_array().expect("results").iter();
    results
        .map(|result| {
            let code = result.get("error").map(|error| text(&error["code"]));
            assert_eq!(result["ok"], code.is_none(), "{result}");
            (text(&result["id"]), code)
        })
        .collect()
}

async fn one_that_fails_leaves_the_others_done(store: Store) {
    let server = TestServer::on(store).await;
    let (me, them) = (server.user(), server.user());
    let first = Tree::titled(&me, "first").await;
    let last = Tree::titled(&me, "last").await;
    let theirs = Tree::titled(&them, "theirs").await;
    let ids = json!([first.id, "no id", theirs.id, first.id.to_uppercase(), last.id]);
    let answer = batch(&me, &json!({"operation": "archive", "conversation_ids": ids})).await;
    let report = answer.data(200);
    let expected = [
        (first.id.as_str(), None),
        ("no id", Some("VALIDATION_ERROR")),
        (theirs.id.as_str(), Some("CONVERSATION_NOT_FOUND")),
        (last.id.as_str(), None),
    ];
    let expected = expected.map(|(id, code)| (id.to_owned(), code.map(str::to_owned)));
    assert_eq!(results(&report), expected, "each once, in the order given");
    assert_eq!((&report["succeeded"], &report["failed"]), (&json!(2), &json!(2)));
    let of_one = &report["results"][2]["error"];
    assert_eq!(of_one["request_id"], answer.header("x-request-id"));
    assert_eq!(titles(&list(&me, "?status=archived").await), ["last", "first"]);
    assert_eq!(theirs.read().await["status"], "active");
}

async fn each_operation_does_what_it_does_to_one(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let body = json!({"title": "Plans", "model": MODEL, "metadata": {"a": 1}});
    let conversation = Tree::of(&user, &body).await;
    let done = async |operation: &str, parameters: Value| {
        let request = json!({
            "operation": operation,
            "conversation_ids": [conversation.id],
            "parameters": parameters,
        });
        let report = batch(&user, &request).await.data(200);
        assert_eq!(report["succeeded"], 1, "{report}");
    };
    done("archive", Value::Null).await;
    assert_eq!(conversation.read().await["status"], "archived");
    done("unarchive", Value::Null).await;
    assert_eq!(conversation.read().await["status"], "active");
    done("update", json!({"title": "Other", "model": null})).await;
    let updated = conversation.read().await;
    let fields = ["title", "model", "metadata"].map(|field| updated[field].clone());
    assert_eq!(fields, [json!("Other"), Value::Null, json!({"a": 1})]);
    done("delete", Value::Null).await;
    conversation.get("").await.error(404, "CONVERSATION_NOT_FOUND");
    let again = json!({"operation": "delete", "conversation_ids": [conversation.id]});
    let report = batch(&user, &again).await.data(200);
    assert_eq!((&report["succeeded"], &report["failed"]), (&json!(0), &json!(1)));
}

async fn a_batch_has_a_size(store: Store) {
    let server = TestServer::on_with(store, [("MAX_BATCH_OPERATION_SIZE", "2")]).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Plans").await;
    let id = conversation.id.as_str();
    for ids in [&[][..], &[id, id, id]] {
        let answer = batch(&user, &json!({"operation": "delete", "conversation_ids": ids})).await;
        assert_eq!(answer.invalid_fields(), ["conversation_ids"]);
    }
    let twice = json!({"operation": "archive", "conversation_ids": [id, id]});
    let report = batch(&user, &twice).await.data(200);
    assert_eq!(results(&report), [(id.to_owned(), None)]);
}

async fn a_batch_that_is_refused_does_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Plans").await;
    let before = conversation.read().await;
    for (operation, parameters, field) in [
        ("merge", Value::Null, "operation"),
        ("delete", json!({"title": "x"}), "parameters"),
        ("update", Value::Null, "parameters"),
        ("update", json!({"titel": "misspelt"}), "parameters"),
        ("update", json!({"title": ""}), "parameters.title"),
        ("update", json!({"status": "gone"}), "parameters.status"),
    ] {
        let request = json!({
            "operation": operation,
            "conversation_ids": [conversation.id],
            "parameters": parameters,
        });
        let answer = batch(&user, &request).await;
        assert_eq!(answer.invalid_fields(), [field], "{request}");
    }
    for (request, field) in [
        (json!({"conversation_ids": [conversation.id]}), "operation"),
        (json!({"operation": "delete"}), "conversation_ids"),
        (
            json!({"operation": "delete", "conversation_ids": [conversation.id, 5]}),
            "conversation_ids[1]",
        ),
    ] {
        assert_eq!(
            batch(&user, &request).await.invalid_fields(),
            [field],
            "{request}"
        );
    }
    assert_eq!(conversation.read().await, before);
}

async fn batches_can_be_switched_off(store: Store) {
    let server = TestServer::on_with(store, [("ENABLE_BATCH_OPERATIONS", "false")]).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Plans").await;
    let request = json!({"operation": "delete", "conversation_ids": [conversation.id]});
    batch(&user, &request).await.error(403, "FEATURE_DISABLED");
    assert_eq!(conversation.read().await["title"], "Plans");
}
