//! Conversations from files.
//!
//! - `own`: what was exported comes back
//! - `chatgpt`: the `conversations.json` of a ChatGPT archive
//! - `refusals`: files and conversations that are not taken

mod chatgpt;
mod own;
mod refusals;

use serde_json::Value;

use crate::conversations::ROUTE;
use crate::support::client::text;
use crate::support::{Answer, Client};

/// Sends a file as it stands.
async fn send(user: &Client, file: impl Into<String>) -> Answer {
    user.post_raw(&format!("{ROUTE}/import"), file).await
}

/// The report on a file that was taken.
async fn import(user: &Client, file: &Value) -> Value {
    send(user, file.to_string()).await.data(201)
}

/// The ids of the copies, as a report names them.
fn copies(report: &Value) -> Vec<String> {
    let ids = report["conversation_ids"].as_array().expect("ids");
    ids.iter().map(text).collect()
}

/// What became of each conversation of a file.
fn statuses(report: &Value) -> Vec<&str> {
    let results = report["results"].as_array().expect("results").iter();
    results
        .map(|result| result["status"].as_str().expect("a status"))
        .collect()
}
