//! Everything about a user: taken along, and erased.
//!
//! - `erasing`: what is erased, and of whom; `answering`: while answers are written; `instances`: at all instances
//! - `coming_back`: what is left
//! - `traces`: what files hold afterwards
//! - `exporting`: the document

mod answering;
mod coming_back;
mod erasing;
mod exporting;
mod instances;
mod traces;

use serde_json::{Value, json};

use crate::api_keys::{Key, ROUTE as KEYS};
use crate::support::client::text;
use crate::support::{Client, MODEL, Reply, Store, TestServer, Tree, Upstream, chunk, token};

const ERASE: &str = "/v1/users/me?confirmation=DELETE";
const EXPORT: &str = "/v1/users/me/export";

/// A server on which new users may spend so many dollars, and [`MODEL`] has a price.
async fn server(store: Store, budget: &str) -> TestServer {
    crate::balance::server(store, budget).await
}

async fn erase(user: &Client) -> Value {
    user.delete(ERASE).await.data(200)
}

/// Everything about a user, but for when it was exported and what is counted late.
async fn everything(user: &Client) -> Value {
    let answer = user.get(EXPORT).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut document = answer.json();
    document["exported_at"].take();
    // Counted some seconds later.
    document["feature_uses"].take();
    for conversation in document["conversations"].as_array_mut().expect("a list") {
        conversation["exported_at"].take();
    }
    document
}

/// Somebody whose address begins with this word.
fn named(server: &TestServer, word: &str) -> Client {
    let user = server.user();
    let mut claims = token::claims(user.user);
    claims["email"] = json!(format!("{word}@example.com"));
    user.with_token(token::sign(&claims))
}

/// An answer with reasoning and a call of a tool, and one that ends the conversation.
fn script_calls(upstream: &Upstream, word: &str) {
    let call = Reply::stream()
        .event(chunk::reasoning(&format!("{word}reasoning")))
        .event(chunk::tool_call(Some("call_1"), &format!("\"{word}arguments\"")))
        .event(chunk::finish("tool_calls"))
        .event(chunk::usage(5, 3))
        .done();
    let end = Reply::stream().text(&format!("{word}answer")).end();
    upstream.script(MODEL, [call, end]);
}

/// Has a user fill every place that there is for text with this word, and use up something.
async fn live(server: &TestServer, user: &Client, word: &str) -> Tree {
    let profile =
        json!({"display_name": format!("{word}name"), "metadata": {"note": format!("{word}profile")}});
    user.patch("/v1/users/me", &profile).await.data(200);
    let preferences = json!({"custom_system_message": format!("{word}preference")});
    user.patch("/v1/users/me/preferences", &preferences)
        .await
        .data(200);
    let tree = Tree::of(
        user,
        &json!({
            "title": format!("{word}title"),
            "system_message": format!("{word}system"),
            "metadata": {"note": format!("{word}metadata")},
        }),
    )
    .await;
    script_calls(&server.upstream, word);
    let exchange = tree.chat(&format!("{word}question")).await;
    let result = json!({
        "model": MODEL, "conversation_id": tree.id,
        "tool_results": [{"tool_call_id": "call_1", "content": format!("{word}result")}],
    });
    tree.chat_with(&result).await;
    let edit = json!({"content": format!("{word}edited"), "create_branch": true, "branch_name": format!("{word}branch")});
    let path = format!("/messages/{}", exchange.question);
    tree.patch(&path, &edit).await.data(200);
    tree.add([("system", format!("{word}written").as_str())]).await;
    let keyed = user
        .request(reqwest::Method::POST, "/v1/chat/completions")
        .header("idempotency-key", format!("{word}{}", tree.id))
        .json(&tree.ask(&format!("{word}keyed")));
    server.upstream.script(MODEL, [Reply::answer(["again"])]);
    assert_eq!(crate::support::Answer::to(keyed).await.status, 200);
    tree
}

/// A key of this user, which can read and chat.
async fn key(user: &Client, word: &str) -> Key {
    let scopes = ["chat", "conversations:read", "users:read"];
    let body = json!({"name": format!("{word}key"), "scopes": scopes});
    Key::made_of(user, &body).await
}

/// A number of the counts of an erasure.
fn count(erased: &Value, what: &str) -> u64 {
    erased[what]
        .as_u64()
        .unwrap_or_else(|| panic!("{what}: {erased}"))
}

/// The ids of the user's conversations.
async fn conversations(user: &Client) -> Vec<String> {
    let page = user.get("/v1/conversations?status=all").await.data(200);
    let items = page["items"].as_array().expect("a list");
    items.iter().map(|item| text(&item["id"])).collect()
}
