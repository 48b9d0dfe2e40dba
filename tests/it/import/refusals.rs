//! Files that are refused as a whole, and conversations that are refused alone.

use std::io;

use futures_util::future::join_all;
use futures_util::stream;
use reqwest::{Body, Method, RequestBuilder};
use serde_json::{Value, json};

use super::{copies, import, send, statuses};
use crate::conversations::{ROUTE, list, titles};
use crate::support::{Answer, Client, Store, TestServer, Tree, eventually, on_each_store};

on_each_store!(
    a_malformed_file_changes_nothing,
    a_file_without_conversations_is_named_so,
    one_that_is_wrong_leaves_the_others_imported,
    a_file_has_a_size,
    a_file_may_be_larger_than_any_other_body,
    only_json_is_imported,
    limits_bind_conversations_but_not_what_is_in_them,
    a_user_has_two_files_in_work_at_once,
    slow_uploads_keep_nobody_else_from_importing,
);

/// A conversation of ChatGPT's in which somebody says this.
fn conversation(id: &str, said: &str) -> Value {
    let message = json!({"author": {"role": "user"}, "content": {"parts": [said]}});
    json!({"id": id, "title": id, "mapping": {"only": {"message": message}}})
}

fn request(user: &Client) -> RequestBuilder {
    user.request(Method::POST, &format!("{ROUTE}/import"))
        .header("content-type", "application/json")
}

async fn total(user: &Client) -> Value {
    list(user, "?status=all").await["pagination"]["total"].take()
}

async fn a_malformed_file_changes_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let whole = json!([conversation("a", "one"), conversation("b", "two")]).to_string();
    for file in [
        "",
        "id,title\n1,a",
        &whole[..whole.len() - 1],
        &format!("{whole},"),
        &whole.replace("two", "tw\u{1}o"),
        &"[".repeat(100_000),
    ] {
        let answer = send(&user, file).await;
        let error = answer.error(400, "MALFORMED_JSON");
        assert_eq!(error["type"], "invalid_request_error");
    }
    let answer = send(&user, format!("[\n{}\n", conversation("a", "one"))).await;
    let error = answer.error(400, "MALFORMED_JSON");
    assert_eq!(error["details"]["line"], 3, "where it is wrong");
    assert_eq!(total(&user).await, 0);
    assert_eq!(
        import(&user, &serde_json::from_str(&whole).expect("JSON")).await["results"][1]["status"],
        "created"
    );
}

async fn a_file_without_conversations_is_named_so(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for file in [
        "[]",
        "{}",
        "null",
        "5",
        "\"text\"",
        "[[]]",
        "[1, 2]",
        r#"{"messages": []}"#,
    ] {
        assert_eq!(send(&user, file).await.invalid_fields(), ["body"], "{file}");
    }
}

async fn one_that_is_wrong_leaves_the_others_imported(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let cycle = json!({"id": "cycle", "mapping": {
        "a": {"parent": "b", "message": null}, "b": {"parent": "a", "message": null},
    }});
    let mut newer = user
        .get(&Tree::titled(&user, "own").await.path("/export"))
        .await
        .json();
    newer["version"] = json!(99);
    let file = json!([conversation("first", "one"), cycle, 5, {"unknown": true}, newer, conversation("last", "two")]);
    let answer = send(&user, file.to_string()).await;
    let report = answer.data(201);
    assert_eq!(
        statuses(&report),
        ["created", "failed", "failed", "failed", "failed", "created"]
    );
    assert_eq!(copies(&report).len(), 2);
    assert_eq!(report["results"][1]["source_id"], "chatgpt:cycle");
    assert_eq!(report["results"][2]["source_id"], Value::Null);
    for (result, named) in [(1, "parent"), (4, "version")] {
        let result = &report["results"][result];
        assert_eq!(
            (&result["id"], &result["error"]["code"]),
            (&Value::Null, &json!("VALIDATION_ERROR"))
        );
        let message = result["error"]["message"].as_str().expect("a message");
        assert!(message.contains(named), "{message}");
        assert_eq!(result["error"]["request_id"], answer.header("x-request-id"));
    }
    assert_eq!(titles(&list(&user, "").await), ["last", "first", "own"]);
}

async fn a_file_has_a_size(store: Store) {
    let server = TestServer::on_with(store, [("MAX_IMPORT_BYTES", "1024")]).await;
    let user = server.user();
    let small = conversation("small", "one").to_string();
    assert_eq!(send(&user, small).await.status, 201);
    let large = conversation("large", &"x".repeat(2_000)).to_string();
    let error = send(&user, &*large).await.error(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(error["details"]["max_bytes"], 1_024);
    let halves = [large[..600].to_owned(), large[600..].to_owned()].map(Ok::<_, io::Error>);
    let undeclared = request(&user).body(Body::wrap_stream(stream::iter(halves)));
    Answer::to(undeclared).await.error(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(total(&user).await, 1);
}

async fn a_file_may_be_larger_than_any_other_body(store: Store) {
    let server = TestServer::on_with(store, [("MAX_BODY_BYTES", "1024")]).await;
    let file = conversation("large", &"x".repeat(10_000));
    assert_eq!(statuses(&import(&server.user(), &file).await), ["created"]);
}

async fn only_json_is_imported(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let file = conversation("a", "one").to_string();
    for kind in ["multipart/form-data; boundary=x", "text/plain", "application/zip"] {
        let request = user
            .request(Method::POST, &format!("{ROUTE}/import"))
            .header("content-type", kind);
        let answer = Answer::to(request.body(file.clone())).await;
        answer.error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let stranger = server.anonymous();
    send(&stranger, file).await.error(401, "MISSING_AUTH_HEADER");
    assert_eq!(total(&user).await, 0);
}

async fn limits_bind_conversations_but_not_what_is_in_them(store: Store) {
    let limits = [
        ("MAX_CONVERSATIONS_PER_USER", "1"),
        ("MAX_MESSAGES_PER_CONVERSATION", "2"),
        ("MAX_BRANCHES_PER_CONVERSATION", "1"),
    ];
    let server = TestServer::on_with(store, limits).await;
    let user = server.user();
    let mut first = conversation("first", "one");
    for more in ["two", "three"] {
        first["mapping"][more] = conversation("", more)["mapping"]["only"].take();
    }
    let file = json!([first, conversation("second", "one")]);
    let report = import(&user, &file).await;
    assert_eq!(statuses(&report), ["created", "failed"]);
    assert_eq!(report["results"][1]["error"]["code"], "LIMIT_REACHED");
    let copy = &copies(&report)[0];
    assert_eq!(user.messages(copy).await.len(), 3);
    let message = json!({"role": "user", "content": "four"});
    user.post(&format!("{ROUTE}/{copy}/messages"), &message)
        .await
        .error(409, "LIMIT_REACHED");
    assert_eq!(statuses(&import(&user, &first).await), ["updated"]);
}

/// Sends a file that never ends, again if no place was free for it.
async fn hold_a_place(user: &Client) {
    loop {
        let endless = Body::wrap_stream(stream::pending::<io::Result<String>>());
        Answer::to(request(user).body(endless))
            .await
            .error(429, "RATE_LIMIT_EXCEEDED");
    }
}

async fn a_user_has_two_files_in_work_at_once(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let mut held = Box::pin(join_all((0..2).map(|_| hold_a_place(&user))));
    let refused = eventually("a refusal", async || {
        let answer = send(&user, "[]").await;
        (answer.status == 429).then_some(answer)
    });
    let answer = tokio::select! {
        _ = &mut held => unreachable!("each goes on for ever"),
        answer = refused => answer,
    };
    let error = answer.error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(
        (&error["type"], &error["details"]["limit"]),
        (&json!("rate_limit_error"), &json!(2))
    );
    assert_ne!(answer.header("retry-after"), "");
    drop(held);
    eventually("a free place", async || {
        (send(&user, "[]").await.status == 422).then_some(())
    })
    .await;
}

async fn slow_uploads_keep_nobody_else_from_importing(store: Store) {
    let server = TestServer::on(store).await;
    let users: Vec<Client> = (0..3).map(|_| server.user()).collect();
    let mut held = Box::pin(join_all(
        users
            .iter()
            .flat_map(|user| [hold_a_place(user), hold_a_place(user)]),
    ));
    let imported = async {
        for user in &users {
            eventually("two files on their way", async || {
                (send(user, "[]").await.status == 429).then_some(())
            })
            .await;
        }
        import(&server.user(), &conversation("a", "one")).await;
    };
    tokio::select! {
        _ = &mut held => unreachable!("each goes on for ever"),
        () = imported => {}
    }
}
