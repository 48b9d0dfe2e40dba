//! What each format holds, measured by what the API shows of the same conversation.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::export;
use crate::support::client::text;
use crate::support::{Store, TestServer, Tree, on_each_store};

on_each_store!(
    json_holds_everything,
    csv_has_a_row_for_each_message,
    jsonl_has_an_example_for_each_branch_with_an_answer,
    markdown_is_read_from_top_to_bottom,
    an_empty_conversation_is_a_file_too,
);

/// The query for one branch.
async fn of_branch(conversation: &Tree, name: &str) -> String {
    let read = conversation.read().await;
    let branches = read["branches"].as_array().expect("branches");
    let branch = branches.iter().find(|branch| branch["name"] == name);
    format!("&branch_id={}", text(&branch.expect("a branch")["id"]))
}

async fn json_holds_everything(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::eventful(&user).await;
    let file = export(&conversation, "").await.json();
    let full = conversation.full().await;
    assert_eq!(
        (&file["format"], &file["version"]),
        (&json!("ai-chat-orchestrator"), &json!(1))
    );
    for part in ["conversation", "branches"] {
        assert_eq!(file[part], full[part], "{part}");
    }
    let mut messages = full["messages"].clone();
    for message in messages.as_array_mut().expect("messages") {
        let fields = message.as_object_mut().expect("an object");
        fields.retain(|name, _| name != "children" && name != "has_branches");
    }
    assert_eq!(
        file["messages"], messages,
        "what follows from the rest is left out"
    );
}

async fn csv_has_a_row_for_each_message(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::eventful(&user).await;
    let rows = rows(&conversation, "").await;
    let full = conversation.full().await;
    let messages = full["messages"].as_array().expect("messages");
    assert_eq!(rows.len(), messages.len());
    for (row, message) in rows.iter().zip(messages) {
        for column in ["id", "branch_id", "role", "status"] {
            assert_eq!(row[column], text(&message[column]), "{column}");
        }
        for column in ["parent_id", "model", "finish_reason"] {
            assert_eq!(
                row[column],
                message[column].as_str().unwrap_or_default(),
                "{column}"
            );
        }
        let content = text(&message["content"]);
        let quoted = if content.starts_with('=') { "'" } else { "" };
        assert_eq!(
            row["content"],
            format!("{quoted}{content}"),
            "no spreadsheet runs it"
        );
        assert_eq!(row["edited"], message["edited"].to_string());
    }
    let answer = &rows[1];
    let figures = ["prompt_tokens", "completion_tokens", "total_tokens"].map(|name| answer[name].as_str());
    assert_eq!(figures, ["5", "3", "8"]);
    let query = of_branch(&conversation, "Ähnlich").await;
    let branch = rows_of(&conversation, &query).await;
    assert_eq!(branch.last().map(String::as_str), Some("Who?"));
    assert_eq!(branch.len(), 3, "only what is on its path: {branch:?}");
}

/// The rows of a table, by the names of the columns.
async fn rows(conversation: &Tree, query: &str) -> Vec<HashMap<String, String>> {
    let answer = export(conversation, &format!("?format=csv{query}")).await;
    let mut reader = csv::Reader::from_reader(&*answer.body);
    let rows = reader.deserialize().collect::<Result<_, _>>();
    rows.expect("a table")
}

/// What the rows of a table say.
async fn rows_of(conversation: &Tree, query: &str) -> Vec<String> {
    let rows = rows(conversation, query).await;
    rows.into_iter()
        .map(|mut row| row.remove("content").expect("a content"))
        .collect()
}

async fn jsonl_has_an_example_for_each_branch_with_an_answer(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::eventful(&user).await;
    let [system, hi, hello] = [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello there!"),
    ];
    let sum = ("user", "=1+1, \"once\"\nplease");
    let main = [
        system,
        hi,
        hello,
        sum,
        ("assistant", "# 2"),
        ("system", "Be brief."),
        ("assistant", "two"),
    ];
    let fork = [system, hi, hello, sum, ("assistant", "two")];
    let expected = [example(&main), example(&fork)];
    assert_eq!(
        lines(&conversation, "").await,
        expected,
        "a branch with nothing but an unanswered question adds no example"
    );
    let query = of_branch(&conversation, "Branch 2").await;
    assert_eq!(lines(&conversation, &query).await, [example(&fork)]);
}

fn example(messages: &[(&str, &str)]) -> Value {
    let messages: Vec<_> = messages
        .iter()
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect();
    json!({"messages": messages})
}

/// The lines of a file, each of which is JSON.
async fn lines(conversation: &Tree, query: &str) -> Vec<Value> {
    let answer = export(conversation, &format!("?format=jsonl{query}")).await;
    let file = answer.text();
    assert!(file.ends_with('\n'), "{file}");
    file.lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

async fn markdown_is_read_from_top_to_bottom(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::eventful(&user).await;
    let whole = page(&conversation, "").await;
    let branch = of_branch(&conversation, "Ähnlich").await;
    let branch = page(&conversation, &branch).await;
    insta::allow_duplicates! {
        insta::assert_snapshot!("markdown_of_a_conversation", whole);
        insta::assert_snapshot!("markdown_of_a_branch", branch);
    }
}

/// A page without the lines that name times and ids.
async fn page(conversation: &Tree, query: &str) -> String {
    let answer = export(conversation, &format!("?format=markdown{query}")).await;
    let file = answer.text();
    let is_different_each_time =
        |line: &&str| (line.starts_with('*') && line.ends_with('*')) || line.contains("Exported: ");
    let lines: Vec<_> = file
        .lines()
        .filter(|line| !is_different_each_time(line))
        .collect();
    lines.join("\n")
}

async fn an_empty_conversation_is_a_file_too(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "Empty").await;
    let file = export(&conversation, "").await.json();
    assert_eq!(file["messages"], json!([]));
    assert!(rows(&conversation, "").await.is_empty());
    let jsonl = export(&conversation, "?format=jsonl").await;
    assert_eq!(jsonl.text(), "");
    assert!(page(&conversation, "").await.starts_with("# Empty"));
}
