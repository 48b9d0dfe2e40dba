//! Making, listing, changing and revoking keys.

use std::fs;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{CONVERSATIONS, Key, ROUTE, keys_of};
use crate::support::{Store, TestServer, on_each_store, token};

on_each_store!(
    a_key_is_shown_whole_once,
    what_cannot_be_a_key_is_refused,
    a_user_has_only_so_many_keys,
    a_key_is_changed_field_by_field,
    keys_of_others_do_not_exist,
    keys_make_no_keys,
);

async fn a_key_is_shown_whole_once(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    assert!(keys_of(&user).await.is_empty());
    let body = json!({
        "name": "nightly import 夜",
        "scopes": ["conversations:read", "chat", "chat"],
        "expires_at": "2999-01-31T12:00:00.1234Z",
    });
    let answer = user.post(ROUTE, &body).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut made = answer.data(201);
    let key = made.as_object_mut().expect("a key").remove("key");
    let key = key.expect("the whole key");
    let parts: Vec<_> = key.as_str().expect("a text").split('-').collect();
    let [sk, aco, public_id, secret] = parts.as_slice() else {
        panic!("four parts: {parts:?}")
    };
    assert_eq!((*sk, *aco), ("sk", "aco"));
    assert_eq!(made["prefix"], format!("sk-aco-{public_id}"));
    assert_eq!(made["name"], "nightly import 夜");
    assert_eq!(made["scopes"], json!(["chat", "conversations:read"]));
    assert_eq!(made["is_active"], true);
    assert_eq!(made["expires_at"], "2999-01-31T12:00:00.123Z");
    assert_eq!(made["last_used_at"], Value::Null);

    let listed = user.get(ROUTE).await;
    assert!(!listed.text().contains(secret), "{listed:?}");
    let listed = listed.data(200);
    assert_eq!(listed["items"], json!([made]));
    assert_eq!(listed["pagination"]["total"], 1);
    for file in fs::read_dir(server.data_dir()).expect("the data folder") {
        let bytes = fs::read(file.expect("a file").path()).expect("a file");
        let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "the secret is in no file");
    }
}

async fn what_cannot_be_a_key_is_refused(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for (body, field) in [
        (json!({"scopes": ["chat"]}), "name"),
        (json!({"name": "", "scopes": ["chat"]}), "name"),
        (json!({"name": "a".repeat(10_000), "scopes": ["chat"]}), "name"),
        (json!({"name": "a\u{7}", "scopes": ["chat"]}), "name"),
        (json!({"name": 7, "scopes": ["chat"]}), "name"),
        (json!({"name": "a"}), "scopes"),
        (json!({"name": "a", "scopes": []}), "scopes"),
        (json!({"name": "a", "scopes": "chat"}), "scopes"),
        (
            json!({"name": "a", "scopes": ["chat", "everything"]}),
            "scopes[1]",
        ),
        (
            json!({"name": "a", "scopes": ["chat"], "expires_at": "2020-01-01T00:00:00Z"}),
            "expires_at",
        ),
        (
            json!({"name": "a", "scopes": ["chat"], "expires_at": "tomorrow"}),
            "expires_at",
        ),
    ] {
        let error = user.post(ROUTE, &body).await.error(422, "VALIDATION_ERROR");
        assert_eq!(error["param"], field, "{error}");
    }
    user.post_raw(ROUTE, "{").await.error(400, "MALFORMED_JSON");
    user.get(&format!("{ROUTE}?limit=0"))
        .await
        .error(422, "VALIDATION_ERROR");
    assert!(keys_of(&user).await.is_empty());
    let unknown = json!({"name": "a", "scopes": ["chat"], "unknown": 1});
    user.post(ROUTE, &unknown).await.data(201);
}

async fn a_user_has_only_so_many_keys(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let body = json!({"name": "one of many", "scopes": ["chat"]});
    let made = join_all((0..60).map(|_| user.post(ROUTE, &body))).await;
    let refused: Vec<_> = made.iter().filter(|answer| answer.status != 201).collect();
    assert_eq!(refused.len(), 10);
    for answer in refused {
        let error = answer.error(409, "LIMIT_REACHED");
        assert_eq!(error["details"], json!({"limit": 50, "current": 50}));
    }
    let keys = keys_of(&user).await;
    assert_eq!(keys.len(), 50);
    let second = user.get(&format!("{ROUTE}?page=2&limit=30")).await.data(200);
    assert_eq!(second["items"], json!(keys[30..]));
    assert_eq!(second["pagination"]["total"], 50);

    Key::with_scopes(&server.user(), &["chat"]).await;
    let path = format!("{ROUTE}/{}", keys[0]["id"].as_str().expect("an id"));
    let deleted = user.delete(&path).await.data(200);
    assert_eq!(deleted, json!({"id": keys[0]["id"], "deleted": true}));
    user.post(ROUTE, &body).await.data(201);
    user.post(ROUTE, &body).await.error(409, "LIMIT_REACHED");
}

async fn a_key_is_changed_field_by_field(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let key = Key::with_scopes(&user, &["chat"]).await;
    let mut expected = keys_of(&user).await.remove(0);
    for (field, value) in [
        ("name", json!("another name")),
        ("scopes", json!(["models:read", "users:write"])),
        ("is_active", json!(false)),
    ] {
        let changed = user.patch(&key.path(), &json!({field: value})).await.data(200);
        expected[field] = value;
        assert_eq!(changed, expected);
        assert_eq!(keys_of(&user).await, [changed]);
    }
    for (body, field) in [
        (json!({}), "body"),
        (json!({"expires_at": null}), "body"),
        (json!({"name": null}), "name"),
        (json!({"name": "a".repeat(101)}), "name"),
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["all"], "name": "new"}), "scopes[0]"),
        (json!({"is_active": "yes"}), "is_active"),
    ] {
        let error = user
            .patch(&key.path(), &body)
            .await
            .error(422, "VALIDATION_ERROR");
        assert_eq!(error["param"], field, "{error}");
    }
    assert_eq!(keys_of(&user).await, [expected]);
    let no_id = user.delete(&format!("{ROUTE}/mine")).await;
    no_id.error(422, "VALIDATION_ERROR");
}

async fn keys_of_others_do_not_exist(store: Store) {
    let server = TestServer::on(store).await;
    let (owner, other) = (server.user(), server.user());
    let key = Key::with_scopes(&owner, &["conversations:read"]).await;
    let nowhere = format!("{ROUTE}/{}", token::new_uuid());
    for path in [key.path(), nowhere] {
        let change = other.patch(&path, &json!({"is_active": false})).await;
        change.error(404, "API_KEY_NOT_FOUND");
        other.delete(&path).await.error(404, "API_KEY_NOT_FOUND");
    }
    assert!(keys_of(&other).await.is_empty());
    assert_eq!(key.client(&owner).get(CONVERSATIONS).await.status, 200);
    owner.delete(&key.path()).await.data(200);
    owner.delete(&key.path()).await.error(404, "API_KEY_NOT_FOUND");
    let revive = owner.patch(&key.path(), &json!({"is_active": true})).await;
    revive.error(404, "API_KEY_NOT_FOUND");
    assert!(keys_of(&owner).await.is_empty());
}

async fn keys_make_no_keys(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let key = Key::with_scopes(&user, &["users:read", "users:write"]).await;
    let client = key.client(&user);
    assert_eq!(keys_of(&client).await.len(), 1, "it may see them");
    let body = json!({"name": "a child", "scopes": ["chat"]});
    for answer in [
        client.post(ROUTE, &body).await,
        client.patch(&key.path(), &json!({"scopes": ["chat"]})).await,
        client.delete(&key.path()).await,
    ] {
        let error = answer.error(403, "INSUFFICIENT_SCOPE");
        assert_eq!(error["type"], "permission_error");
        assert_eq!(error["details"], json!({"required_scope": null}));
    }
    assert_eq!(
        keys_of(&user).await[0]["scopes"],
        json!(["users:read", "users:write"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_can_be_switched_off() {
    let server = TestServer::with([("ENABLE_USER_API_KEYS", "false")]).await;
    let user = server.user();
    let body = json!({"name": "a key", "scopes": ["chat"]});
    user.get(ROUTE).await.error(403, "FEATURE_DISABLED");
    user.post(ROUTE, &body).await.error(403, "FEATURE_DISABLED");
    let key = user.with_token("sk-aco-anything");
    key.get(CONVERSATIONS).await.error(403, "FEATURE_DISABLED");
    let features = user.get("/info").await.json()["features"].take();
    assert!(!features.to_string().contains("user_api_keys"), "{features}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_with_keys_is_counted() {
    let server = TestServer::start().await;
    let user = server.user();
    let key = Key::with_scopes(&user, &["users:read"]).await;
    user.patch(&key.path(), &json!({"name": "new"})).await.data(200);
    let client = key.client(&user);
    client.get(CONVERSATIONS).await.error(403, "INSUFFICIENT_SCOPE");
    user.delete(&key.path()).await.data(200);
    client.get(CONVERSATIONS).await.error(401, "API_KEY_REVOKED");
    let metrics = user.get("/metrics").await.text();
    for sample in [
        r#"api_keys_total{operation="created"} 1"#,
        r#"api_keys_total{operation="updated"} 1"#,
        r#"api_keys_total{operation="revoked"} 1"#,
        r#"api_keys_total{operation="refused"} 1"#,
        r#"http_rejections_total{reason="scope"} 1"#,
        r#"http_rejections_total{reason="auth"} 1"#,
    ] {
        assert!(metrics.lines().any(|line| line == sample), "{sample}: {metrics}");
    }
}
