//! The `conversations.json` of a ChatGPT archive.

use serde_json::{Value, json};

use super::{copies, import, statuses};
use crate::conversations::{ROUTE, list, titles};
use crate::support::client::text;
use crate::support::{Client, MODEL, Store, TestServer, on_each_store};

on_each_store!(
    every_branch_is_there,
    a_conversation_keeps_what_it_was,
    it_can_be_gone_on_with,
    a_newer_archive_brings_what_is_new,
);

/// Two conversations as ChatGPT exports them: the first with an edited question and an answer that was written anew,
/// the second archived and of an older form, without `children` and `metadata`.
fn archive() -> Value {
    let file = include_str!("../../fixtures/chatgpt_conversations.json");
    serde_json::from_str(file).expect("JSON")
}

/// The messages on the branch of that name.
async fn path(user: &Client, conversation: &str, branch: &str) -> Vec<(String, String)> {
    let route = format!("{ROUTE}/{conversation}");
    let read = user.get(&route).await.data(200);
    let branches = read["branches"].as_array().expect("branches");
    let branch = branches
        .iter()
        .find(|one| one["name"] == branch)
        .expect("a branch");
    let path = format!("{route}/branches/{}/messages", text(&branch["id"]));
    let messages = user.get(&path).await.data(200);
    let messages = messages["items"].as_array().expect("items").iter();
    messages
        .map(|message| (text(&message["role"]), text(&message["content"])))
        .collect()
}

fn said(messages: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(role, content): &(&str, &str)| ((*role).to_owned(), (*content).to_owned());
    messages.iter().map(own).collect()
}

async fn every_branch_is_there(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let report = import(&user, &archive()).await;
    assert_eq!(statuses(&report), ["created", "created"]);
    let sources: Vec<_> = report["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|r| &r["source_id"])
        .collect();
    assert_eq!(
        sources,
        [
            "chatgpt:6745c1d3-9f1c-8004-bb6e-1c7e2f0d9a55",
            "chatgpt:63f1b0de-77aa-4d51-b0f1-6a2f0a9e11c2"
        ]
    );
    let rivers = &copies(&report)[0];
    let (first, second) = (("user", "Name a river."), ("user", "Name a long river."));
    let current = [
        second,
        ("assistant", "The Nile."),
        ("user", "Where does it end?"),
        ("assistant", "In the sea."),
    ];
    assert_eq!(
        path(&user, rivers, "Main").await,
        said(&current),
        "what was open there"
    );
    assert_eq!(
        path(&user, rivers, "Branch 2").await,
        said(&[first, ("assistant", "The Rhine.")])
    );
    assert_eq!(
        path(&user, rivers, "Branch 3").await,
        said(&[second, ("assistant", "The Amazon.")])
    );
    let full = user.full(rivers).await;
    assert_eq!(
        full["tree"].as_array().map(Vec::len),
        Some(2),
        "two first questions"
    );
    assert_eq!(full["conversation"]["message_count"], 7, "nothing that is hidden");
}

async fn a_conversation_keeps_what_it_was(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let report = import(&user, &archive()).await;
    let [rivers, lakes] = copies(&report).try_into().expect("two copies");
    let read = user.get(&format!("{ROUTE}/{rivers}")).await.data(200);
    for (field, expected) in [
        ("title", json!("Rivers")),
        ("model", json!("gpt-4o")),
        ("status", json!("active")),
        ("preview", json!("Name a river.")),
        ("created_at", json!("2024-11-26T12:40:19.251Z")),
        (
            "imported_from",
            json!("chatgpt:6745c1d3-9f1c-8004-bb6e-1c7e2f0d9a55"),
        ),
    ] {
        assert_eq!(read[field], expected, "{field}");
    }
    let read = user.get(&format!("{ROUTE}/{lakes}")).await.data(200);
    assert_eq!(
        (&read["title"], &read["status"]),
        (&json!("Lakes"), &json!("archived"))
    );
    let expected = [("user", "Name a lake."), ("assistant", "Lake Constance.")];
    assert_eq!(path(&user, &lakes, "Main").await, said(&expected));
    assert_eq!(
        titles(&list(&user, "/search?q=constance&status=all").await),
        ["Lakes"]
    );
}

async fn it_can_be_gone_on_with(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let rivers = copies(&import(&user, &archive()).await)[0].clone();
    let ask = json!({"model": MODEL, "message": "Thanks", "conversation_id": rivers});
    user.chat_stream(&ask).await.finish().await;
    let asked = server.upstream.last_chat().json()["messages"].take();
    let expected = json!([
        {"role": "user", "content": "Name a long river."},
        {"role": "assistant", "content": "The Nile."},
        {"role": "user", "content": "Where does it end?"},
        {"role": "assistant", "content": "In the sea."},
        {"role": "user", "content": "Thanks"},
    ]);
    assert_eq!(asked, expected);
}

async fn a_newer_archive_brings_what_is_new(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let mut archive = archive();
    let before = copies(&import(&user, &archive).await);
    archive[0]["mapping"]["thanks"] = json!({
        "id": "thanks", "parent": "sea", "children": [],
        "message": {
            "author": {"role": "user"}, "create_time": 1_732_700_000.5,
            "content": {"content_type": "text", "parts": ["Thank you."]},
        },
    });
    archive[0]["current_node"] = json!("thanks");
    let report = import(&user, &archive).await;
    assert_eq!(
        (statuses(&report), copies(&report)),
        (vec!["updated", "updated"], before.clone())
    );
    let main = path(&user, &before[0], "Main").await;
    assert_eq!(
        main.last().map(|(_, content)| content.as_str()),
        Some("Thank you.")
    );
    assert_eq!(list(&user, "?status=all").await["pagination"]["total"], 2);
}
