//! What is left: coming back is no fresh budget.

use serde_json::json;

use super::{ERASE, erase, live, named, server};
use crate::balance::{balance, history, message, nano, settled};
use crate::support::process::run;
use crate::support::{MODEL, Reply, Store, TestServer, eventually, on_each_store};

on_each_store!(
    what_was_spent_stays_spent,
    who_was_suspended_comes_back_suspended,
    an_erasure_after_the_first_keeps_all_that_was_spent,
);

async fn command(server: &TestServer, arguments: &[&str]) {
    let settings = server.settings_of_commands();
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let done = run(arguments, &settings).await;
    assert_eq!(done.code, Some(0), "{done:?}");
}

async fn what_was_spent_stays_spent(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let id = user.user.to_string();
    server.upstream.script(MODEL, [Reply::completion("Hi")]);
    assert_eq!(user.chat(&message(false)).await.status, 200);
    let before = settled(&user).await;
    assert!(nano(&before["spend"]) > 0);
    command(
        &server,
        &["user", "set-budget", "--id", &id, "--amount", "0.000011"],
    )
    .await;
    erase(&user).await;

    let after = balance(&user).await;
    assert_eq!(after["spend"], before["spend"]);
    assert_eq!(
        (nano(&after["max_budget"]), &after["can_chat"]),
        (11_000, &json!(false))
    );
    assert_eq!(nano(&after["period_spend"]), 0, "what for is forgotten");
    assert!(history(&user).await.is_empty());
    user.chat(&message(false))
        .await
        .error(402, "INSUFFICIENT_BALANCE");
}

async fn who_was_suspended_comes_back_suspended(store: Store) {
    let server = server(store, "1").await;
    let user = named(&server, "suspended");
    live(&server, &user, "suspended").await;
    let id = user.user.to_string();
    command(&server, &["user", "suspend", "--id", &id]).await;
    eventually("the suspension to be heeded", async || {
        (user.get("/v1/conversations").await.status == 403).then_some(())
    })
    .await;
    // They are refused everything, this too: the operator does it for them.
    user.delete(ERASE).await.error(403, "ACCOUNT_SUSPENDED");
    command(&server, &["user", "erase", "--id", &id]).await;
    assert_eq!(server.ledger().await.mentions(user.user).await, [""; 0]);
    crate::support::time::pass(std::time::Duration::from_secs(3)).await;
    user.get("/v1/conversations")
        .await
        .error(403, "ACCOUNT_SUSPENDED");
    user.chat(&message(false)).await.error(403, "ACCOUNT_SUSPENDED");
    assert_eq!(server.ledger().await.mentions(user.user).await, [""; 0]);
}

async fn an_erasure_after_the_first_keeps_all_that_was_spent(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let mut spent = 0;
    for _ in 0..3 {
        server.upstream.script(MODEL, [Reply::completion("Hi")]);
        assert_eq!(user.chat(&message(false)).await.status, 200);
        let spend = nano(&settled(&user).await["spend"]);
        assert!(spend > spent);
        spent = spend;
        erase(&user).await;
        erase(&user).await;
    }
    assert_eq!(nano(&balance(&user).await["spend"]), spent);
}
