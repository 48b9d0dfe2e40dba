//! API keys: stored, found, changed, revoked, used.

use ai_chat_orchestrator::models::api_key::ApiKey;
use ai_chat_orchestrator::models::ids::ApiKeyId;
use ai_chat_orchestrator::models::scope::{Scope, Scopes};
use ai_chat_orchestrator::services::api_keys::{
    ApiKeyChanges, ApiKeyError, KeyRecord, KeyState, MAX_REVOKED_KEPT, NewApiKey, NewSecret, PublicId,
};
use chrono::TimeDelta;
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;

use crate::store::databases::TestStore;
use crate::store::user::User;

/// More keys than most of these tests make.
const LIMIT: u32 = 100;

/// A key to be stored, and the whole of it.
fn new_key(store: &TestStore, name: &str) -> (NewApiKey, String) {
    let secret = NewSecret::generate().expect("random numbers");
    let key = NewApiKey {
        id: ApiKeyId::new(&store.clock),
        name: name.to_owned(),
        public_id: secret.public_id,
        hash: secret.hash,
        scopes: [Scope::Chat, Scope::UsersRead].into_iter().collect(),
        expires_at: None,
        created_at: store.clock.now(),
    };
    (key, secret.key.expose_secret().to_owned())
}

async fn create(user: &User<'_>, key: NewApiKey, limit: u32) -> Result<ApiKey, ApiKeyError> {
    user.store.api_keys.create(&user.caller, key, limit).await
}

/// A stored key of this user.
async fn stored(user: &User<'_>, name: &str) -> ApiKey {
    let (key, _) = new_key(user.store, name);
    create(user, key, LIMIT).await.expect("a key")
}

async fn list(user: &User<'_>) -> Vec<ApiKey> {
    let keys = user.store.api_keys.list(user.id()).await;
    keys.expect("a store that answers")
}

async fn find(store: &TestStore, key: &ApiKey) -> Option<KeyRecord> {
    let found = store.api_keys.find(&PublicId::of_prefix(&key.prefix)).await;
    found.expect("a store that answers")
}

async fn revoke(user: &User<'_>, id: ApiKeyId) -> Option<ApiKey> {
    let revoked = user.store.api_keys.revoke(user.id(), id).await;
    revoked.expect("a store that answers")
}

pub async fn a_key_is_found_and_listed_as_it_was_stored(store: &TestStore) {
    let user = store.user();
    let (mut new, whole) = new_key(store, "first 夜");
    new.expires_at = Some(new.created_at + TimeDelta::days(1));
    let made = create(&user, new.clone(), LIMIT).await.expect("a key");
    assert_eq!((made.id, made.name.as_str()), (new.id, "first 夜"));
    assert_eq!(made.prefix, PublicId::prefix_of(new.public_id.as_str()));
    assert_eq!(made.scopes, [Scope::Chat, Scope::UsersRead]);
    assert!(made.is_active && made.last_used_at.is_none());
    assert_eq!(
        (made.expires_at, made.created_at),
        (new.expires_at, new.created_at)
    );

    let second = stored(&user, "second").await;
    assert_eq!(list(&user).await, [made.clone(), second]);
    assert!(list(&store.user()).await.is_empty());

    let found = find(store, &made).await.expect("a record");
    assert_eq!((found.id, found.user_id), (made.id, user.id()));
    assert_eq!((found.scopes, found.state), (new.scopes, KeyState::Active));
    assert_eq!(found.expires_at, new.expires_at);
    assert!(found.hash.is_of(&whole) && !found.hash.is_of(&made.prefix));
    let (unknown, _) = new_key(store, "never stored");
    let found = store.api_keys.find(&unknown.public_id).await;
    assert!(found.expect("a store that answers").is_none());
}

pub async fn nobody_has_more_keys_than_the_limit(store: &TestStore) {
    let user = store.user();
    let made = join_all((0..12).map(|_| create(&user, new_key(store, "one of many").0, 7))).await;
    let refused: Vec<_> = made.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 5);
    for error in refused {
        assert!(
            matches!(error, ApiKeyError::LimitReached { limit: 7, current: 7 }),
            "{error}"
        );
    }
    let keys = list(&user).await;
    assert_eq!(keys.len(), 7);
    revoke(&user, keys[3].id).await.expect("a key");
    create(&user, new_key(store, "in its place").0, 7)
        .await
        .expect("a key");
    create(&store.user(), new_key(store, "of another").0, 1)
        .await
        .expect("a key");
}

pub async fn a_key_is_changed_by_its_user(store: &TestStore) {
    let (user, other) = (store.user(), store.user());
    let key = stored(&user, "a key").await;
    let update = async |of: &User<'_>, changes: ApiKeyChanges| {
        let changed = store.api_keys.update(of.id(), key.id, changes).await;
        changed.expect("a store that answers")
    };
    let renamed = ApiKeyChanges {
        name: Some("new".to_owned()),
        ..ApiKeyChanges::default()
    };
    assert!(update(&other, renamed.clone()).await.is_none());
    assert_eq!(list(&user).await, std::slice::from_ref(&key));
    let expected = ApiKey {
        name: "new".to_owned(),
        ..key.clone()
    };
    assert_eq!(update(&user, renamed).await, Some(expected));
    let narrowed = ApiKeyChanges {
        scopes: Some([Scope::ModelsRead].into_iter().collect::<Scopes>()),
        is_active: Some(false),
        ..ApiKeyChanges::default()
    };
    let changed = update(&user, narrowed).await.expect("a key");
    assert_eq!((changed.name.as_str(), changed.is_active), ("new", false));
    let found = find(store, &key).await.expect("a record");
    assert_eq!(found.state, KeyState::Inactive);
    assert!(found.scopes.contains(Scope::ModelsRead) && !found.scopes.contains(Scope::Chat));
}

pub async fn the_last_revoked_keys_are_remembered(store: &TestStore) {
    let (user, other) = (store.user(), store.user());
    let first = stored(&user, "first").await;
    assert!(revoke(&other, first.id).await.is_none());
    assert_eq!(
        find(store, &first).await.map(|key| key.state),
        Some(KeyState::Active)
    );
    let revoked = revoke(&user, first.id).await.expect("a key");
    assert_eq!(revoked.id, first.id);
    assert!(revoke(&user, first.id).await.is_none(), "once and for all");
    let revived = ApiKeyChanges {
        is_active: Some(true),
        ..ApiKeyChanges::default()
    };
    let revived = store.api_keys.update(user.id(), first.id, revived).await;
    assert!(revived.expect("a store that answers").is_none());
    assert!(list(&user).await.is_empty());
    assert_eq!(
        find(store, &first).await.map(|key| key.state),
        Some(KeyState::Revoked)
    );

    let of_other = stored(&other, "of another").await;
    revoke(&other, of_other.id).await.expect("a key");
    let mut last = first.clone();
    for _ in 0..MAX_REVOKED_KEPT {
        last = stored(&user, "more").await;
        revoke(&user, last.id).await.expect("a key");
    }
    assert!(find(store, &first).await.is_none(), "forgotten");
    for kept in [&last, &of_other] {
        assert_eq!(
            find(store, kept).await.map(|key| key.state),
            Some(KeyState::Revoked)
        );
    }
}

pub async fn one_use_a_minute_is_recorded(store: &TestStore) {
    let user = store.user();
    let (key, unused) = (stored(&user, "used").await, stored(&user, "unused").await);
    let first = store.clock.now();
    for (seconds, expected) in [(0, 0), (59, 0), (60, 60), (30, 60), (119, 60), (200, 200)] {
        let at = first + TimeDelta::seconds(seconds);
        let recorded = store.api_keys.record_use(key.id, at).await;
        recorded.expect("a store that answers");
        let shown = list(&user).await;
        let expected = first + TimeDelta::seconds(expected);
        assert_eq!(shown[0].last_used_at, Some(expected), "{seconds}");
        assert_eq!(shown[1], unused);
    }
}
