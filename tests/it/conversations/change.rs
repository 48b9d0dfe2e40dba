//! Changing conversations: what is absent stays, null empties.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{Client, MODEL, Store, TestServer, Tree, on_each_store};

on_each_store!(
    what_is_absent_stays_and_null_empties,
    a_change_is_the_last_change,
    a_change_that_is_refused_changes_nothing,
);

/// A conversation that has everything that can be changed.
async fn full_of_fields(user: &Client) -> Tree {
    let body = json!({
        "title": "Plans",
        "model": MODEL,
        "system_message": "Be kind.",
        "metadata": {"colour": "red", "size": 3},
    });
    Tree::of(user, &body).await
}

async fn what_is_absent_stays_and_null_empties(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for (change, field, becomes) in [
        (json!({"title": "Other"}), "title", json!("Other")),
        (json!({"title": null}), "title", Value::Null),
        (json!({"model": "another"}), "model", json!("another")),
        (json!({"model": null}), "model", Value::Null),
        (
            json!({"system_message": "Be terse."}),
            "system_message",
            json!("Be terse."),
        ),
        (json!({"system_message": null}), "system_message", Value::Null),
        (json!({"status": "archived"}), "status", json!("archived")),
        (json!({"metadata": {"size": 4}}), "metadata", json!({"size": 4})),
        (json!({"metadata": null}), "metadata", json!({})),
    ] {
        let conversation = full_of_fields(&user).await;
        let mut expected = conversation.read().await;
        let changed = conversation.patch("", &change).await.data(200);
        expected[field] = becomes;
        expected["updated_at"] = changed["updated_at"].clone();
        assert_eq!(conversation.read().await, expected, "{change}");
        for (name, value) in changed.as_object().expect("an object") {
            assert_eq!(&expected[name], value, "{change}: {name}");
        }
    }
}

async fn a_change_is_the_last_change(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = full_of_fields(&user).await;
    let before = conversation.read().await;
    let change = json!({"title": "Other", "status": "archived"});
    let after = conversation.patch("", &change).await.data(200);
    assert_eq!(
        (&after["title"], &after["status"]),
        (&json!("Other"), &json!("archived"))
    );
    assert!(
        text(&after["updated_at"]) > text(&before["updated_at"]),
        "{after}"
    );
    assert_eq!(after["created_at"], before["created_at"]);
}

async fn a_change_that_is_refused_changes_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = full_of_fields(&user).await;
    let before = conversation.read().await;
    for (change, field) in [
        (json!({}), "body"),
        (json!({"titel": "misspelt"}), "body"),
        (json!({"title": "Fine", "status": "gone"}), "status"),
        (json!({"title": "Fine", "status": null}), "status"),
        (json!({"title": ""}), "title"),
        (json!({"title": "x".repeat(201)}), "title"),
        (json!({"title": "bell\u{7}"}), "title"),
        (json!({"title": "Fine", "model": "m".repeat(101)}), "model"),
        (json!({"system_message": "x".repeat(8_001)}), "system_message"),
        (json!({"title": "Fine", "metadata": "text"}), "metadata"),
        (json!({"metadata": {"big": "x".repeat(10_001)}}), "metadata"),
    ] {
        let answer = conversation.patch("", &change).await;
        assert_eq!(answer.invalid_fields(), [field], "{change}");
    }
    let change = json!({"title": "", "model": ""});
    let answer = conversation.patch("", &change).await;
    assert_eq!(answer.invalid_fields(), ["title", "model"], "all that is wrong");
    assert_eq!(conversation.read().await, before);
}
