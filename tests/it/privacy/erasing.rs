//! What is erased, and of whom.

use super::{ERASE, KEYS, conversations, count, erase, everything, key, live, named, server};
use crate::support::{Store, on_each_store};

on_each_store!(
    everything_is_erased_and_nothing_else,
    it_has_to_be_confirmed,
    a_key_cannot_erase_its_user,
    two_at_once_erase_everything_once,
    a_user_of_whom_nothing_is_kept_leaves_nothing,
    an_operator_erases_from_the_command_line,
);

async fn everything_is_erased_and_nothing_else(store: Store) {
    let server = server(store, "1").await;
    let (user, other) = (named(&server, "gone"), named(&server, "stays"));
    for (user, word) in [(&user, "gone"), (&other, "stays")] {
        live(&server, user, word).await;
        live(&server, user, word).await;
        key(user, word).await;
    }
    let key = key(&user, "second").await;
    assert_eq!(key.client(&user).get("/v1/conversations").await.status, 200);
    let mut ledger = server.ledger().await;
    assert!(ledger.mentions(user.user).await.len() >= 6, "the test looks");
    let before = everything(&other).await;

    let erased = erase(&user).await;
    assert_eq!(ledger.mentions(user.user).await, [""; 0]);
    assert_eq!(everything(&other).await, before);
    for (what, expected) in [
        ("profiles", 1),
        ("accounts", 1),
        ("conversations", 2),
        ("branches", 4),
        ("messages", 16),
        ("api_keys", 2),
        ("usage_events", 6),
        ("balance_entries", 6),
        ("idempotency_keys", 2),
        ("outbox_entries", 0),
        ("unfinished_answers", 0),
    ] {
        assert_eq!(count(&erased, what), expected, "{what}: {erased}");
    }
    assert!(count(&erased, "usage_sums") >= 3, "{erased}");
    key.client(&user)
        .get("/v1/conversations")
        .await
        .error(401, "INVALID_API_KEY");
    assert!(conversations(&user).await.is_empty());
    // What was used stays as nobody's.
    let sums = "SELECT CAST(sum(requests) AS BIGINT) FROM anonymous_usage
         UNION ALL SELECT CAST(sum(prompt_tokens) AS BIGINT) FROM anonymous_usage";
    assert_eq!(ledger.numbers(sums).await, [6, 6 * 5]);
}

async fn it_has_to_be_confirmed(store: Store) {
    let server = server(store, "1").await;
    let user = named(&server, "careful");
    live(&server, &user, "careful").await;
    let before = everything(&user).await;
    for query in [
        "",
        "?confirmation=",
        "?confirmation=delete",
        "?confirmation=DELETE%20",
        "?confirm=DELETE",
    ] {
        let refused = user.delete(&format!("/v1/users/me{query}")).await;
        assert_eq!(refused.invalid_fields(), ["confirmation"], "{query}");
    }
    server
        .anonymous()
        .delete(ERASE)
        .await
        .error(401, "MISSING_AUTH_HEADER");
    assert_eq!(everything(&user).await, before);
}

async fn a_key_cannot_erase_its_user(store: Store) {
    let server = server(store, "1").await;
    let user = named(&server, "owner");
    let key = key(&user, "owner").await;
    for path in [ERASE, "/v1/users/me"] {
        key.client(&user)
            .delete(path)
            .await
            .error(403, "INSUFFICIENT_SCOPE");
    }
    assert_eq!(user.get(KEYS).await.data(200)["pagination"]["total"], 1);
}

async fn two_at_once_erase_everything_once(store: Store) {
    let server = server(store, "1").await;
    let user = named(&server, "twice");
    for _ in 0..5 {
        live(&server, &user, "twice").await;
    }
    let (one, two) = tokio::join!(erase(&user), erase(&user));
    for (what, expected) in [
        ("conversations", 5),
        ("messages", 40),
        ("profiles", 1),
        ("accounts", 1),
    ] {
        assert_eq!(
            count(&one, what) + count(&two, what),
            expected,
            "{what}: {one} {two}"
        );
    }
    assert_eq!(server.ledger().await.mentions(user.user).await, [""; 0]);
    let tombstones = "SELECT spend FROM tombstones";
    let spend = server.ledger().await.numbers(tombstones).await;
    assert_eq!(spend.len(), 1);
    assert!(spend[0] > 0);
}

async fn a_user_of_whom_nothing_is_kept_leaves_nothing(store: Store) {
    let server = server(store, "1").await;
    let erased = erase(&server.user()).await;
    assert!(
        erased
            .as_object()
            .expect("counts")
            .values()
            .all(|count| count == 0),
        "{erased}"
    );
    assert_eq!(
        server
            .ledger()
            .await
            .numbers("SELECT count(*) FROM tombstones")
            .await,
        [0]
    );
}

async fn an_operator_erases_from_the_command_line(store: Store) {
    let server = server(store, "1").await;
    let user = named(&server, "by_operator");
    live(&server, &user, "by_operator").await;
    let settings = server.settings_of_commands();
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let id = user.user.to_string();
    let done = crate::support::process::run(&["user", "erase", "--id", &id], &settings).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let erased = serde_json::from_str(&done.stdout).expect("counts");
    assert_eq!(
        (count(&erased, "conversations"), count(&erased, "accounts")),
        (1, 1)
    );
    assert_eq!(server.ledger().await.mentions(user.user).await, [""; 0]);
}
