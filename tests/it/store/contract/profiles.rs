//! Users: known from when they are first heard of, and changed.

use ai_chat_orchestrator::models::user::{UpdatePreferencesRequest, UpdateProfileRequest};
use ai_chat_orchestrator::services::users::{User, UserChanges};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::store::databases::TestStore;
use crate::store::user;

fn profile(changes: Value) -> UserChanges {
    let request: UpdateProfileRequest = serde_json::from_value(changes).expect("changes");
    request.into()
}

fn preferences(changes: Value) -> UserChanges {
    let request: UpdatePreferencesRequest = serde_json::from_value(changes).expect("changes");
    request.into()
}

/// All of it, to be compared.
fn whole(user: &User) -> Value {
    serde_json::to_value(user).expect("JSON")
}

async fn find(user: &user::User<'_>) -> Option<User> {
    let found = user.store.profiles.find(user.id()).await;
    found.expect("a store that answers")
}

pub async fn a_user_is_known_from_then_on(store: &TestStore) {
    let user = store.user();
    assert!(find(&user).await.is_none());
    let made = store.profiles.provision(&user.caller).await.expect("a user");
    assert_eq!(
        (made.id, made.email.as_deref(), made.role.as_str()),
        (user.id(), None, "user")
    );
    let mut caller = user.caller.clone();
    caller.email = Some("a@example.com".into());
    let known = store.profiles.provision(&caller).await.expect("a user");
    assert_eq!(known.email.as_deref(), Some("a@example.com"));
    assert_eq!(known.created_at, made.created_at);
    let still = store.profiles.provision(&user.caller).await.expect("a user");
    assert_eq!(
        whole(&still),
        whole(&known),
        "who has no address keeps the last one"
    );
    assert_eq!(find(&user).await.map(|user| whole(&user)), Some(whole(&known)));

    let other = store.user();
    let changed = store
        .profiles
        .update(&other.caller, profile(json!({"display_name": "B"})));
    let changed = changed.await.expect("a user");
    assert_eq!(
        (changed.id, changed.display_name.as_deref()),
        (other.id(), Some("B"))
    );
    assert_eq!(find(&user).await.map(|user| whole(&user)), Some(whole(&known)));
    // Whoever makes a conversation is known too.
    let third = store.user();
    third.chat().await;
    assert!(find(&third).await.is_some());
}

pub async fn changes_at_once_lose_nothing(store: &TestStore) {
    let user = store.user();
    let all = [
        profile(json!({"display_name": "Ada", "metadata": {"a": 1.0}})),
        profile(json!({"timezone": "Asia/Tokyo"})),
        preferences(json!({"theme": "dark", "max_context_messages": 7})),
        preferences(json!({"default_temperature": 0.1, "custom_system_message": "Be brief."})),
        preferences(json!({"enable_streaming": false, "low_balance_alerts": true})),
        preferences(json!({"default_max_tokens": 32_768})),
    ];
    let changed = all.map(|changes| store.profiles.update(&user.caller, changes));
    for changed in join_all(changed).await {
        changed.expect("a user");
    }
    let found = find(&user).await.expect("a user");
    assert!(found.updated_at > found.created_at);
    let found = whole(&found);
    for (field, value) in [
        ("display_name", json!("Ada")),
        ("metadata", json!({"a": 1.0})),
        ("timezone", json!("Asia/Tokyo")),
        ("theme", json!("dark")),
        ("max_context_messages", json!(7)),
        ("default_temperature", json!(0.1)),
        ("custom_system_message", json!("Be brief.")),
        ("enable_streaming", json!(false)),
        ("low_balance_alerts", json!(true)),
        ("default_max_tokens", json!(32_768)),
        ("language", Value::Null),
    ] {
        assert_eq!(found[field], value, "{field}");
    }
}
