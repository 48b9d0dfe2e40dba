//! Conversations as files.
//!
//! - `formats`: what each format holds
//! - `shared`: what branches have in common
//! - `stream`: how a large one arrives
//! - here: how the file is called, and what is refused

mod formats;
mod shared;
mod stream;

use serde_json::json;

use crate::support::{Answer, Store, TestServer, Tree, on_each_store, token};

on_each_store!(
    each_format_says_what_it_is,
    no_title_gets_out_of_the_header,
    what_cannot_be_exported_is_told_before_the_first_byte,
    exports_can_be_switched_off,
);

/// The answer to an export.
async fn export(conversation: &Tree, query: &str) -> Answer {
    let answer = conversation.get(&format!("/export{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn each_format_says_what_it_is(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Quantum computing, part 1").await;
    for (query, kind, extension) in [
        ("", "application/json", "json"),
        ("?format=json", "application/json", "json"),
        ("?format=markdown", "text/markdown; charset=utf-8", "md"),
        ("?format=csv", "text/csv; charset=utf-8; header=present", "csv"),
        ("?format=jsonl", "application/jsonl", "jsonl"),
    ] {
        let answer = export(&conversation, query).await;
        assert_eq!(answer.header("content-type"), kind, "{query}");
        assert_eq!(
            answer.header("content-disposition"),
            format!("attachment; filename=\"quantum-computing-part-1.{extension}\""),
            "{query}"
        );
        assert_eq!(answer.header("cache-control"), "no-store", "{query}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{query}");
    }
}

async fn no_title_gets_out_of_the_header(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let named = async |title: serde_json::Value| {
        let conversation = Tree::of(&user, &json!({"title": title})).await;
        let answer = export(&conversation, "").await;
        answer
            .header("content-disposition")
            .replace(&conversation.id, "ID")
    };
    for (title, expected) in [
        (json!(null), "attachment; filename=\"conversation-ID.json\""),
        (
            json!("a\"; filename=\"b.exe"),
            "attachment; filename=\"a-filename-b-exe.json\"",
        ),
        (
            json!("a\nSet-Cookie: b"),
            "attachment; filename=\"a-set-cookie-b.json\"",
        ),
        (
            json!("../../etc/passwd"),
            "attachment; filename=\"etc-passwd.json\"",
        ),
        (
            json!("天気/Köln"),
            "attachment; filename=\"k-ln.json\"; filename*=UTF-8''%E5%A4%A9%E6%B0%97%20K%C3%B6ln.json",
        ),
    ] {
        assert_eq!(named(title.clone()).await, expected, "{title}");
    }
}

async fn what_cannot_be_exported_is_told_before_the_first_byte(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Plans").await;
    for (query, field) in [
        ("format=xml", "format"),
        ("format=", "format"),
        ("branch_id=main", "branch_id"),
    ] {
        let answer = conversation.get(&format!("/export?{query}")).await;
        assert_eq!(answer.invalid_fields(), [field], "{query}");
        assert_eq!(answer.header("content-disposition"), "", "{query}");
    }
    let other = Tree::titled(&user, "Other").await.read().await;
    let foreign = other["active_branch_id"].as_str().expect("an id");
    for branch in [foreign, &token::new_uuid().to_string()] {
        for format in ["json", "markdown", "csv", "jsonl"] {
            let query = format!("/export?format={format}&branch_id={branch}");
            let answer = conversation.get(&query).await;
            answer.error(404, "BRANCH_NOT_FOUND");
        }
    }
}

async fn exports_can_be_switched_off(store: Store) {
    let server = TestServer::on_with(store, [("ENABLE_CONVERSATION_EXPORT", "false")]).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Plans").await;
    let answer = conversation.get("/export").await;
    let error = answer.error(403, "FEATURE_DISABLED");
    assert_eq!(error["type"], "permission_error");
}
