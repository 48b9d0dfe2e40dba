//! The preferences, of which the profile shows some.

use serde_json::{Value, json};

use super::{PREFERENCES, PROFILE};
use crate::support::{MODEL, Store, TestServer, on_each_store};

on_each_store!(
    there_are_defaults,
    what_is_given_changes_and_null_is_the_default,
    what_both_have_is_one_value,
    a_wrong_field_is_named,
);

fn defaults() -> Value {
    json!({
        "theme": "system", "language": null, "timezone": null, "default_model": null, "default_temperature": null,
        "default_max_tokens": null, "enable_streaming": true, "max_context_messages": null,
        "custom_system_message": null, "low_balance_alerts": true,
    })
}

async fn there_are_defaults(store: Store) {
    let server = TestServer::on(store).await;
    assert_eq!(server.user().get(PREFERENCES).await.data(200), defaults());
}

async fn what_is_given_changes_and_null_is_the_default(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let all = json!({
        "theme": "dark", "language": "de-AT", "timezone": "Europe/Vienna", "default_model": MODEL,
        "default_temperature": 0.0, "default_max_tokens": 1, "enable_streaming": false, "max_context_messages": 7,
        "custom_system_message": "Be brief.", "low_balance_alerts": false,
    });
    assert_eq!(user.patch(PREFERENCES, &all).await.data(200), all);
    let one = user.patch(PREFERENCES, &json!({"theme": "light"})).await;
    let mut expected = all.clone();
    expected["theme"] = json!("light");
    assert_eq!(one.data(200), expected);
    assert_eq!(user.get(PREFERENCES).await.data(200), expected);
    let names = all.as_object().expect("an object").keys();
    let none: Value = names.map(|name| (name.clone(), Value::Null)).collect();
    assert_eq!(user.patch(PREFERENCES, &none).await.data(200), defaults());
}

async fn what_both_have_is_one_value(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let shared = [
        ("language", json!("fr")),
        ("timezone", json!("Asia/Tokyo")),
        ("default_model", json!(MODEL)),
        ("default_temperature", json!(1.25)),
        ("default_max_tokens", json!(99)),
    ];
    for (n, (field, value)) in shared.iter().enumerate() {
        let (one, other) = if n % 2 == 0 {
            (PROFILE, PREFERENCES)
        } else {
            (PREFERENCES, PROFILE)
        };
        user.patch(one, &json!({*field: value})).await.data(200);
        assert_eq!(user.get(other).await.data(200)[field], *value);
    }
}

async fn a_wrong_field_is_named(store: Store) {
    let server = TestServer::on_with(store, [("MAX_CONTEXT_MESSAGES", "30")]).await;
    let user = server.user();
    for (field, value) in [
        ("theme", json!("blue")),
        ("language", json!("")),
        ("timezone", json!("")),
        ("default_model", json!("a\u{7}")),
        ("default_temperature", json!(3)),
        ("default_max_tokens", json!(-1)),
        ("enable_streaming", json!("yes")),
        ("max_context_messages", json!(0)),
        ("max_context_messages", json!(31)),
        ("custom_system_message", json!("x".repeat(8_001))),
        ("low_balance_alerts", json!(1)),
    ] {
        let answer = user.patch(PREFERENCES, &json!({field: value})).await;
        assert_eq!(answer.invalid_fields(), [field], "{value}");
    }
    assert_eq!(
        user.patch(PREFERENCES, &json!({})).await.invalid_fields(),
        ["body"]
    );
    assert_eq!(user.get(PREFERENCES).await.data(200), defaults());
}
