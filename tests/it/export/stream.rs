//! How a large conversation arrives: in pieces, and no faster than it is taken.

use reqwest::Method;
use serde_json::{Value, json};

use crate::conversations::ROUTE;
use crate::support::client::text;
use crate::support::{Client, Store, TestServer, on_each_store, within};

on_each_store!(a_large_file_is_read_as_it_is_taken);

/// Messages of the conversation: several pages of what the service reads at once.
const MESSAGES: usize = 400;

/// Bytes of each: so many that the conversation is larger than all that sockets hold between the two ends.
const MESSAGE_BYTES: usize = 100_000;

/// Imports a conversation of 40 MB; tells its route.
async fn large_conversation(user: &Client) -> String {
    let image = format!("data:image/png;base64,{}", "A".repeat(MESSAGE_BYTES));
    let content = json!([{"type": "image_url", "image_url": {"url": image}}]);
    let id = |n: usize| format!("019aafc3-7c52-7d3c-9b1e-{n:012x}");
    let branch = id(MESSAGES);
    let messages: Vec<Value> = (0..MESSAGES)
        .map(|n| {
            let parent = n.checked_sub(1).map(id);
            json!({"id": id(n), "parent_id": parent, "branch_id": branch, "role": "user", "content": content})
        })
        .collect();
    let file = json!({
        "format": "ai-chat-orchestrator",
        "version": 1,
        "conversation": {"id": id(MESSAGES + 1), "active_branch_id": branch},
        "messages": messages,
        "branches": [{"id": branch, "name": "Main", "is_main": true, "head_message_id": id(MESSAGES - 1)}],
    });
    let report = user.post(&format!("{ROUTE}/import"), &file).await.data(201);
    format!("{ROUTE}/{}", text(&report["conversation_ids"][0]))
}

async fn a_large_file_is_read_as_it_is_taken(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let route = large_conversation(&user).await;
    let answer = user.get(&format!("{route}/export")).await;
    assert_eq!(answer.header("transfer-encoding"), "chunked");
    let file = answer.json();
    assert_eq!(file["messages"].as_array().map(Vec::len), Some(MESSAGES));

    let request = user.request(Method::GET, &format!("{route}/export"));
    let mut response = within("the head", request.send()).await.expect("a response");
    let first = within("a piece", response.chunk()).await.expect("a piece");
    // A file that is read ahead would now come whole all the same.
    user.delete(&route).await.data(200);
    let mut taken = first.map_or(0, |piece| piece.len());
    let ended = within("the end", async {
        loop {
            match response.chunk().await {
                Ok(Some(piece)) => taken += piece.len(),
                ended => return ended.map(|_| ()),
            }
        }
    })
    .await;
    assert!(ended.is_err(), "what is not whole does not end as if it were");
    assert!(taken < MESSAGES * MESSAGE_BYTES, "{taken} bytes were sent");
}
