//! Keys as credentials: what lets in, and what does not.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use super::{CONVERSATIONS, Key, ROUTE, keys_of};
use crate::support::time::within_limit;
use crate::support::{Answer, Client, MODEL, Machine, Store, TestServer, eventually, on_each_store, token};

on_each_store!(
    a_key_speaks_for_its_user,
    an_expired_key_is_refused,
    a_key_is_switched_off_and_on_and_revoked,
    the_last_use_is_told,
);

const READ: &[&str] = &["conversations:read"];

#[track_caller]
fn assert_refused(answer: &Answer, code: &str) {
    let error = answer.error(401, code);
    assert_eq!(error["type"], "authentication_error");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

/// The answer to a request with these headers alone.
async fn knock(server: &TestServer, headers: &[(&str, &str)]) -> Answer {
    let mut request = server.anonymous().request(Method::GET, CONVERSATIONS);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::to(request).await
}

async fn a_key_speaks_for_its_user(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = user.new_conversation(&json!({"title": "mine"})).await;
    server
        .user()
        .new_conversation(&json!({"title": "of another"}))
        .await;
    let key = Key::with_scopes(&user, &["chat", "conversations:read"]).await;
    let bearer = format!("Bearer {}", key.key);
    for headers in [
        &[("authorization", bearer.as_str())][..],
        &[("x-api-key", &key.key)],
        &[("x-api-key", "of a gateway"), ("authorization", &bearer)],
    ] {
        let page = knock(&server, headers).await.data(200);
        assert_eq!(page["items"][0]["id"], conversation);
        assert_eq!(page["pagination"]["total"], 1);
    }
    let chat = json!({"model": MODEL, "message": "Hi", "conversation_id": conversation});
    key.client(&user).chat_stream(&chat).await.finish().await;
    assert_eq!(user.messages(&conversation).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_of_ours_is_refused() {
    let server = TestServer::start().await;
    let user = server.user();
    let key = Key::with_scopes(&user, READ).await;
    let (prefix, _) = key.key.rsplit_once('-').expect("a secret");
    let wrong_secret = format!("{prefix}-{}", "0".repeat(key.secret().len()));
    let (_, unknown_id) = key.key.split_at("sk-aco-".len() + 16);
    let unknown_id = format!("sk-aco-{}{unknown_id}", "0".repeat(16));
    for wrong in [
        "sk-aco-",
        "sk-aco-short",
        &wrong_secret,
        &unknown_id,
        &key.key.to_uppercase().replace("SK-ACO-", "sk-aco-"),
        &format!("{}0", key.key),
        &"sk-aco-x".repeat(500),
    ] {
        assert_refused(
            &user.with_token(wrong).get(CONVERSATIONS).await,
            "INVALID_API_KEY",
        );
        assert_refused(&knock(&server, &[("x-api-key", wrong)]).await, "INVALID_API_KEY");
    }
    let jwt = token::for_user(user.user);
    assert_refused(&knock(&server, &[("x-api-key", &jwt)]).await, "INVALID_API_KEY");
    let twice = [("x-api-key", key.key.as_str()), ("x-api-key", &key.key)];
    assert_refused(&knock(&server, &twice).await, "INVALID_AUTH_FORMAT");
    assert_eq!(key.client(&user).get(CONVERSATIONS).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_keys_is_limited_per_address() {
    let server = TestServer::start().await;
    let user = server.user();
    let key = Key::with_scopes(&user, READ).await;
    let guesser = user.with_token("sk-aco-guess");
    for _ in 0..30 {
        assert_refused(&guesser.get(CONVERSATIONS).await, "INVALID_API_KEY");
    }
    // One more is allowed every two seconds, which a slow machine may have needed for the first thirty.
    let refused = eventually("a refusal", async || {
        let answer = guesser.get(CONVERSATIONS).await;
        (answer.status != 401).then_some(answer)
    })
    .await;
    refused.error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(
        key.client(&user).get(CONVERSATIONS).await.status,
        200,
        "a good key is let in"
    );
}

async fn an_expired_key_is_refused(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let expires_at =
        DateTime::<Utc>::from_timestamp(token::now(), 0).expect("a time") + TimeDelta::seconds(4);
    let body = json!({
        "name": "a short life",
        "scopes": READ,
        "expires_at": expires_at.to_rfc3339_opts(SecondsFormat::Millis, true),
    });
    let key = Key::made_of(&user, &body).await;
    let client = key.client(&user);
    assert_eq!(client.get(CONVERSATIONS).await.status, 200);
    let refused = eventually("the key to expire", async || {
        let answer = client.get(CONVERSATIONS).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_refused(&refused, "API_KEY_EXPIRED");
    assert!(token::now() >= expires_at.timestamp(), "not before its time");
    assert_eq!(keys_of(&user).await.len(), 1, "its owner still sees it");
}

async fn a_key_is_switched_off_and_on_and_revoked(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let key = Key::with_scopes(&user, READ).await;
    let client = key.client(&user);
    assert_eq!(client.get(CONVERSATIONS).await.status, 200);
    let switch = async |on: bool| user.patch(&key.path(), &json!({"is_active": on})).await.data(200);
    switch(false).await;
    assert_refused(&client.get(CONVERSATIONS).await, "API_KEY_REVOKED");
    switch(true).await;
    assert_eq!(client.get(CONVERSATIONS).await.status, 200);
    user.patch(&key.path(), &json!({"scopes": ["chat"]}))
        .await
        .data(200);
    client.get(CONVERSATIONS).await.error(403, "INSUFFICIENT_SCOPE");
    user.delete(&key.path()).await.data(200);
    assert_refused(&client.get(CONVERSATIONS).await, "API_KEY_REVOKED");
}

async fn the_last_use_is_told(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let key = Key::with_scopes(&user, READ).await;
    assert_eq!(keys_of(&user).await[0]["last_used_at"], Value::Null);
    let last_use = async || keys_of(&user).await[0]["last_used_at"].clone();
    key.client(&user).get(CONVERSATIONS).await.data(200);
    let first = eventually("a recorded use", async || {
        let at = last_use().await;
        (!at.is_null()).then_some(at)
    })
    .await;
    for _ in 0..3 {
        key.client(&user).get(CONVERSATIONS).await.data(200);
    }
    assert_eq!(last_use().await, first, "one a minute is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_reaches_other_instances_within_five_seconds() {
    let machine = Machine::on(Store::Postgres).await;
    let (here, there) = tokio::join!(machine.instance("here"), machine.instance("there"));
    let user = here.user();
    for revoke in [false, true] {
        let key = Key::with_scopes(&user, READ).await;
        let elsewhere = key.client(&user).at(&there.base);
        assert_eq!(elsewhere.get(CONVERSATIONS).await.status, 200);
        let changed = if revoke {
            user.delete(&key.path()).await
        } else {
            user.patch(&key.path(), &json!({"is_active": false})).await
        };
        changed.data(200);
        assert_refused(&key.client(&user).get(CONVERSATIONS).await, "API_KEY_REVOKED");
        let refused = Box::pin(eventually("a refusal", async || {
            let answer = elsewhere.get(CONVERSATIONS).await;
            (answer.status != 200).then_some(answer)
        }));
        let refused = within_limit(Duration::from_secs(5), "the other instance", refused).await;
        assert_refused(&refused, "API_KEY_REVOKED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_tell_of_keys_and_hold_none() {
    let machine = Machine::new().await;
    let process = machine.serve_with(&[("LOG_LEVEL", "debug")]).await;
    let user = process.user();
    let key = Key::with_scopes(&user, READ).await;
    let client = key.client(&user);
    client.get(CONVERSATIONS).await.data(200);
    client.get(ROUTE).await.error(403, "INSUFFICIENT_SCOPE");
    let by_header = Client::anonymous(&process.base).request(Method::GET, CONVERSATIONS);
    Answer::to(by_header.header("x-api-key", &key.key))
        .await
        .data(200);
    user.delete(&key.path()).await.data(200);
    client.get(CONVERSATIONS).await.error(401, "API_KEY_REVOKED");
    let log = eventually("the last line", async || {
        let log = process.stdout();
        log.contains("authentication_failed").then_some(log)
    })
    .await;
    for event in ["api_key_created", "api_key_revoked", "scope_refused"] {
        let line = log.lines().find(|line| line.contains(event));
        let line = line.unwrap_or_else(|| panic!("{event}: {log}"));
        assert!(line.contains(&key.id), "{line}");
    }
    assert!(!log.contains(key.secret()), "no secret: {log}");
}
