//! The profile: made when it is first asked for, changed field by field.

use serde_json::{Value, json};

use super::{PREFERENCES, PROFILE};
use crate::support::{Client, MODEL, PrivatePostgres, Store, TestServer, on_each_store, token};

on_each_store!(
    whoever_asks_has_a_profile,
    what_is_given_changes_and_null_empties,
    a_wrong_field_is_named_and_changes_nothing,
    what_cannot_be_changed_is_refused,
    the_address_follows_the_token,
    nobody_sees_the_profile_of_another,
);

fn with_email(user: &Client, email: Option<&str>) -> Client {
    let mut claims = token::claims(user.user);
    claims["email"] = json!(email);
    user.with_token(token::sign(&claims))
}

async fn whoever_asks_has_a_profile(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let profile = user.get(PROFILE).await.data(200);
    assert_eq!(profile["id"], json!(user.user));
    assert_eq!(profile["email"], "user@example.com");
    assert_eq!(profile["role"], "user");
    assert_eq!(profile["metadata"], json!({}));
    for empty in [
        "display_name",
        "avatar_url",
        "timezone",
        "language",
        "default_model",
        "default_temperature",
        "default_max_tokens",
    ] {
        assert_eq!(profile.get(empty), Some(&Value::Null), "{empty}");
    }
    assert_eq!(profile["created_at"], profile["updated_at"]);
    assert_eq!(user.get(PROFILE).await.data(200), profile);
}

async fn what_is_given_changes_and_null_empties(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let changes = json!({
        "display_name": "Ada 夜", "avatar_url": "https://example.com/a.png", "timezone": "Asia/Kathmandu",
        "language": "zh-Hant-TW", "default_model": MODEL, "default_temperature": 0.4, "default_max_tokens": 321,
        "metadata": {"b": 1.50, "a": [null]},
    });
    let changed = user.patch(PROFILE, &changes).await.data(200);
    for (field, value) in changes.as_object().expect("an object") {
        assert_eq!(changed[field], *value, "{field}");
    }
    assert_eq!(user.get(PROFILE).await.data(200), changed);

    let emptied = json!({"display_name": null, "metadata": null, "default_temperature": null});
    let emptied = user.patch(PROFILE, &emptied).await.data(200);
    assert_eq!(
        (
            &emptied["display_name"],
            &emptied["metadata"],
            &emptied["default_temperature"]
        ),
        (&Value::Null, &json!({}), &Value::Null)
    );
    assert_eq!(emptied["timezone"], "Asia/Kathmandu", "what is absent stays");
}

async fn a_wrong_field_is_named_and_changes_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let before = user.get(PROFILE).await.data(200);
    let deep = "{\"a\":".repeat(101) + "1" + &"}".repeat(101);
    let deep: Value = serde_json::from_str(&deep).expect("JSON");
    for (field, value) in [
        ("display_name", json!("")),
        ("display_name", json!("é".repeat(101))),
        ("display_name", json!("a\u{7}")),
        ("display_name", json!(7)),
        ("avatar_url", json!("javascript:alert(1)")),
        ("avatar_url", json!("/relative.png")),
        (
            "avatar_url",
            json!(format!("https://example.com/{}", "a".repeat(2_000))),
        ),
        ("timezone", json!("Mars/Olympus")),
        ("timezone", json!("+02:00")),
        ("language", json!("de_AT")),
        ("language", json!("not a language")),
        ("default_model", json!("")),
        ("default_model", json!("m".repeat(101))),
        ("default_temperature", json!(-0.1)),
        ("default_temperature", json!(2.1)),
        ("default_max_tokens", json!(0)),
        ("default_max_tokens", json!(32_769)),
        ("default_max_tokens", json!(1.5)),
        ("metadata", json!([])),
        ("metadata", json!({"a": "x".repeat(10_000)})),
        ("metadata", deep),
    ] {
        let answer = user
            .patch(PROFILE, &json!({field: value, "display_name2": 0}))
            .await;
        assert_eq!(answer.status, 422, "{field}");
        let answer = user.patch(PROFILE, &json!({field: value})).await;
        assert_eq!(answer.invalid_fields(), [field], "{value}");
    }
    let both = json!({"timezone": "x", "language": "?", "default_model": MODEL});
    let answer = user.patch(PROFILE, &both).await;
    assert_eq!(answer.invalid_fields(), ["timezone", "language"]);
    assert_eq!(user.patch(PROFILE, &json!({})).await.invalid_fields(), ["body"]);
    assert_eq!(user.get(PROFILE).await.data(200), before);
}

async fn what_cannot_be_changed_is_refused(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for field in [
        "id",
        "email",
        "role",
        "created_at",
        "updated_at",
        "theme",
        "max_budget",
        "displayName",
    ] {
        let answer = user.patch(PROFILE, &json!({field: "x"})).await;
        assert_eq!(answer.invalid_fields(), [field]);
    }
    for field in ["display_name", "metadata", "email", "nonsense"] {
        let answer = user.patch(PREFERENCES, &json!({field: "x"})).await;
        assert_eq!(answer.invalid_fields(), [field]);
    }
}

async fn the_address_follows_the_token(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    user.get(PROFILE).await.data(200);
    let moved = with_email(&user, Some("ada@example.org"));
    assert_eq!(moved.get(PROFILE).await.data(200)["email"], "ada@example.org");
    let without = with_email(&user, None);
    assert_eq!(without.get(PROFILE).await.data(200)["email"], "ada@example.org");
    let changed = moved.patch(PROFILE, &json!({"display_name": "Ada"})).await;
    assert_eq!(changed.data(200)["email"], "ada@example.org");
}

async fn nobody_sees_the_profile_of_another(store: Store) {
    let server = TestServer::on(store).await;
    let (one, other) = (server.user(), server.user());
    let changed = one.patch(PROFILE, &json!({"display_name": "One"})).await;
    changed.data(200);
    let preferences = one.patch(PREFERENCES, &json!({"theme": "dark"})).await;
    preferences.data(200);
    let profile = other.get(PROFILE).await.data(200);
    assert_eq!(
        (&profile["id"], &profile["display_name"]),
        (&json!(other.user), &Value::Null)
    );
    assert_eq!(other.get(PREFERENCES).await.data(200)["theme"], "system");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_an_outage() {
    let mut postgres = PrivatePostgres::start().await;
    let url = postgres.url();
    let server = TestServer::with([("DATABASE_URL", url.as_str())]).await;
    let user = server.user();
    postgres.crash();
    for path in [PROFILE, PREFERENCES, super::USAGE, super::DASHBOARD] {
        let refused = user.get(path).await;
        refused.error(503, "STORE_UNAVAILABLE");
        assert_eq!(refused.header("retry-after"), "1");
    }
    let refused = user.patch(PROFILE, &json!({"display_name": "Ada"})).await;
    refused.error(503, "STORE_UNAVAILABLE");
}
