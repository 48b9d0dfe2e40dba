//! Conversations.
//!
//! - `create`, `read`, `change`: one of them
//! - `list`, `filters`: pages of them, which, and in which order
//! - `batch`: many at once
//! - `stats`: what they amount to

mod batch;
mod change;
mod create;
mod filters;
mod list;
mod read;
mod stats;

use serde_json::{Value, json};

use crate::support::Client;

pub const ROUTE: &str = "/v1/conversations";

/// One page of a user's conversations.
pub async fn list(user: &Client, query: &str) -> Value {
    user.get(&format!("{ROUTE}{query}")).await.data(200)
}

/// Makes conversations with these titles.
async fn make(user: &Client, titles: &[&str]) {
    for title in titles {
        user.new_conversation(&json!({"title": title})).await;
    }
}

/// The titles on a page; of a conversation without one, nothing.
pub fn titles(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items").iter();
    items
        .map(|item| item["title"].as_str().unwrap_or_default().to_owned())
        .collect()
}
