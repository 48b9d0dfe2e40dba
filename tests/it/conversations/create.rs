//! Making conversations.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{ROUTE, list, make};
use crate::support::client::text;
use crate::support::{MODEL, Store, TestServer, on_each_store};

on_each_store!(
    a_new_conversation_is_answered_with_its_address,
    everything_about_a_new_conversation_is_optional,
    the_metadata_of_a_client_are_kept_as_they_were_written,
    the_fields_of_a_new_conversation_are_checked,
    a_title_may_be_two_hundred_characters_of_any_script,
    conversations_are_limited,
);

async fn a_new_conversation_is_answered_with_its_address(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let body = json!({
        "title": "Plans",
        "model": MODEL,
        "system_message": "Be kind.",
        "metadata": {"colour": "red", "n": 1.5},
    });
    let answer = user.post(ROUTE, &body).await;
    let made = answer.data(201);
    let id = text(&made["id"]);
    assert_eq!(id.parse::<Uuid>().expect("a UUID").get_version_num(), 7);
    assert_eq!(answer.header("location"), format!("{ROUTE}/{id}"));
    for (name, value) in body.as_object().expect("an object") {
        assert_eq!(&made[name], value, "{name}");
    }
    assert_eq!(made["status"], "active");
    assert_eq!(made["user_id"], user.user.to_string());
    assert_eq!(
        (&made["message_count"], &made["branch_count"]),
        (&json!(0), &json!(1))
    );
    assert!(text(&made["created_at"]).ends_with('Z'), "UTC: {made}");
    assert_eq!(user.get(answer.header("location")).await.data(200), made);
}

async fn everything_about_a_new_conversation_is_optional(store: Store) {
    let server = TestServer::on(store).await;
    let made = server.user().post(ROUTE, &json!({})).await.data(201);
    for field in ["title", "model", "system_message", "preview", "last_message_at"] {
        assert_eq!(made[field], Value::Null, "{field}");
    }
    assert_eq!(made["metadata"], json!({}));
    assert_eq!(made["branches"][0]["name"], "Main");
}

async fn the_metadata_of_a_client_are_kept_as_they_were_written(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let metadata = r#"{"z":1.50,"a":1e2,"big":12345678901234567890123.5,"nested":[{"b":null,"a":"é"}]}"#;
    let answer = user
        .post_raw(ROUTE, format!(r#"{{"metadata":{metadata}}}"#))
        .await;
    assert!(answer.text().contains(metadata), "{}", answer.text());
    let read = user.get(answer.header("location")).await;
    assert!(read.text().contains(metadata), "{}", read.text());
}

async fn the_fields_of_a_new_conversation_are_checked(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for (field, value) in [
        ("title", json!("x".repeat(201))),
        ("title", json!("line\u{7}bell")),
        ("title", json!(5)),
        ("model", json!("m".repeat(101))),
        ("system_message", json!("x".repeat(8_001))),
        ("metadata", json!([1])),
        ("metadata", json!({"big": "x".repeat(10_240)})),
        ("metadata", json!({"deep": nested(100)})),
    ] {
        let answer = user.post(ROUTE, &json!({field: value})).await;
        assert_eq!(answer.invalid_fields(), [field], "{value}");
    }
    assert_eq!(
        list(&user, "").await["pagination"]["total"],
        0,
        "nothing was stored"
    );
}

/// Arrays in arrays.
fn nested(depth: usize) -> Value {
    (1..depth).fold(json!([]), |inner, _| json!([inner]))
}

async fn a_title_may_be_two_hundred_characters_of_any_script(store: Store) {
    let server = TestServer::on(store).await;
    let title = "猫".repeat(200);
    let made = server.user().post(ROUTE, &json!({"title": title})).await;
    assert_eq!(made.data(201)["title"], title);
}

async fn conversations_are_limited(store: Store) {
    let server = TestServer::on_with(store, [("MAX_CONVERSATIONS_PER_USER", "1")]).await;
    let user = server.user();
    make(&user, &["a"]).await;
    let answer = user.post(ROUTE, &json!({})).await;
    let error = answer.error(409, "LIMIT_REACHED");
    assert_eq!(
        (&error["details"]["limit"], &error["details"]["current"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(answer.header("x-should-retry"), "false");
    user.chat(&json!({"model": MODEL, "message": "Hi"}))
        .await
        .error(409, "LIMIT_REACHED");
    assert_eq!(server.upstream.chats().len(), 0);
}
