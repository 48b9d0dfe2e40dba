//! What an operator does to accounts, from the command line, while the service runs.

use serde_json::{Value, json};

use super::{balance, history, message, nano, server, settled};
use crate::support::process::{Output, run};
use crate::support::{MODEL, Reply, Store, TestServer, eventually, on_each_store};

on_each_store!(
    credit_and_budgets,
    a_suspended_user_is_refused_everything_until_that_is_lifted,
    usage_is_reported,
    what_is_wrong_is_said,
);

async fn command(server: &TestServer, arguments: &[&str]) -> Output {
    let settings = server.settings_of_commands();
    let mut settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    settings.push(("DEFAULT_USER_BUDGET", "1"));
    run(arguments, &settings).await
}

async fn succeeds(server: &TestServer, arguments: &[&str]) -> String {
    let output = command(server, arguments).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout
}

async fn credit_and_budgets(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let id = user.user.to_string();
    let shown = succeeds(&server, &["user", "credit", "--id", &id, "--amount", "2.5"]).await;
    assert!(
        shown.contains("budget     3.5") && shown.contains("available  3.5"),
        "{shown}"
    );
    assert_eq!(
        balance(&user).await["max_budget"],
        3.5,
        "heeded by the running service"
    );
    server.upstream.script(MODEL, [Reply::completion("Hi")]);
    assert_eq!(user.chat(&message(false)).await.status, 200);
    assert_eq!(settled(&user).await["spend"], 0.000_011);
    succeeds(
        &server,
        &["user", "set-budget", "--id", &id, "--amount", "0.000011"],
    )
    .await;
    user.chat(&message(false))
        .await
        .error(402, "INSUFFICIENT_BALANCE");
    succeeds(
        &server,
        &["user", "set-budget", "--id", &id, "--amount", "unlimited"],
    )
    .await;
    assert_eq!(user.chat(&message(false)).await.status, 200);
    let failed = command(&server, &["user", "credit", "--id", &id, "--amount", "1"]).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("no budget"), "{failed:?}");
    let shown = succeeds(&server, &["user", "show", "--id", &id]).await;
    for expected in ["budget     unlimited", "spent      0.000022", "status     active"] {
        assert!(shown.contains(expected), "{shown}");
    }
    let told: Vec<_> = history(&user)
        .await
        .iter()
        .map(|entry| (entry["type"].clone(), nano(&entry["amount"])))
        .rev()
        .collect();
    let credit = json!("credit");
    assert_eq!(
        told,
        [
            (credit.clone(), 2_500_000_000),
            (json!("charge"), 11_000),
            (credit.clone(), 11_000 - 3_500_000_000),
            (credit, -11_000),
            (json!("charge"), 11_000)
        ]
    );
}

async fn a_suspended_user_is_refused_everything_until_that_is_lifted(store: Store) {
    let server = server(store, "1").await;
    let (user, other) = (server.user(), server.user());
    assert_eq!(user.get("/v1/conversations").await.status, 200);
    let id = user.user.to_string();
    let shown = succeeds(&server, &["user", "suspend", "--id", &id]).await;
    assert!(shown.contains("status     suspended"), "{shown}");
    eventually("the suspension to be heeded", async || {
        let answer = user.get("/v1/conversations").await;
        (answer.status == 403).then(|| answer.error(403, "ACCOUNT_SUSPENDED"))
    })
    .await;
    for body in [message(true), super::messages(false)] {
        assert_eq!(user.chat(&body).await.status, 403);
    }
    assert_eq!(server.upstream.chats().len(), 0);
    assert_eq!(other.get("/v1/conversations").await.status, 200);
    succeeds(&server, &["user", "suspend", "--id", &id, "--lift"]).await;
    eventually("the suspension to be lifted", async || {
        (user.get("/v1/conversations").await.status == 200).then_some(())
    })
    .await;
}

async fn usage_is_reported(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    server.upstream.script(
        MODEL,
        [Reply::error(503, "server_error", "busy"), Reply::completion("Hi")],
    );
    for _ in 0..2 {
        assert_eq!(user.chat(&message(false)).await.status, 200);
    }
    settled(&user).await;
    let json = succeeds(
        &server,
        &["usage", "report", "--since", "2020-01-01", "--format", "json"],
    )
    .await;
    let lines: Value = serde_json::from_str(&json).expect("JSON");
    let expected = json!([{"user_id": user.user, "model": MODEL, "requests": 2, "prompt_tokens": 10,
        "completion_tokens": 6, "cost_usd": 0.000_022, "unpriced_requests": 0}]);
    assert_eq!(lines, expected, "what was retried is no request");
    let csv = succeeds(&server, &["usage", "report", "--since", "2020-01-01"]).await;
    let line = format!("{},{MODEL},2,10,6,0.000022,0", user.user);
    assert_eq!(csv.trim_end().lines().last(), Some(&*line), "{csv}");
    let later = succeeds(&server, &["usage", "report", "--since", "2100-01-01T00:00:00Z"]).await;
    assert_eq!(later.trim_end().lines().count(), 1, "{later}");
}

async fn what_is_wrong_is_said(store: Store) {
    let server = server(store, "1").await;
    let id = server.user().user.to_string();
    for (arguments, problem) in [
        (vec!["user", "credit", "--id", "me", "--amount", "1"], "--id"),
        (vec!["user", "credit", "--id", &id, "--amount", "-1"], "-1"),
        (vec!["user", "credit", "--id", &id, "--amount", "NaN"], "--amount"),
        (
            vec!["user", "set-budget", "--id", &id, "--amount", "1000001"],
            "1000000",
        ),
        (vec!["usage", "report", "--since", "yesterday"], "--since"),
        (
            vec!["usage", "report", "--since", "2026-01-01", "--format", "xml"],
            "--format",
        ),
    ] {
        let output = command(&server, &arguments).await;
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(problem), "{output:?}");
    }
}
