//! The document of everything.

use reqwest::Method;
use serde_json::{Value, json};

use super::{EXPORT, KEYS, everything, key, live, named, server};
use crate::balance::{balance, history};
use crate::support::client::text;
use crate::support::{Client, Store, TestServer, Tree, on_each_store, within};

on_each_store!(
    it_is_what_was_there,
    its_conversations_can_be_imported,
    somebody_new_has_an_empty_one,
    it_can_be_switched_off,
    a_key_cannot_carry_everything_away,
    it_is_whole_while_others_write,
    a_large_one_is_read_as_it_is_taken,
    one_that_fails_in_the_middle_does_not_end_as_if_it_were_whole,
);

async fn it_is_what_was_there(store: Store) {
    let server = server(store, "1").await;
    let (user, other) = (named(&server, "mine"), named(&server, "theirs"));
    let tree = live(&server, &user, "mine").await;
    live(&server, &other, "theirs").await;
    let key = key(&user, "mine").await;
    let answer = user.get(EXPORT).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let name = answer.header("content-disposition");
    assert!(
        name.starts_with("attachment; filename=\"user-data-20") && name.ends_with(".json\""),
        "{name}"
    );
    assert!(!answer.text().contains("theirs"), "{}", answer.text());
    assert!(!answer.text().contains(key.secret()));
    let document = answer.json();
    let fields: Vec<_> = document.as_object().expect("an object").keys().collect();
    let expected = [
        "format",
        "version",
        "exported_at",
        "profile",
        "preferences",
        "balance",
        "api_keys",
        "balance_entries",
        "usage_events",
        "feature_uses",
        "conversations",
    ];
    assert_eq!(fields, expected);
    assert_eq!(document["profile"], user.get("/v1/users/me").await.data(200));
    assert_eq!(document["profile"]["email"], "mine@example.com");
    let preferences = user.get("/v1/users/me/preferences").await.data(200);
    assert_eq!(document["preferences"], preferences);
    assert_eq!(document["balance"], balance(&user).await);
    assert_eq!(document["api_keys"], user.get(KEYS).await.data(200)["items"]);
    let mut entries = history(&user).await;
    entries.reverse();
    assert_eq!(document["balance_entries"], json!(entries));
    let mut alone = tree.get("/export").await.json();
    let mut exported = document["conversations"].clone();
    assert_eq!(exported.as_array().map(Vec::len), Some(1));
    alone["exported_at"].take();
    exported[0]["exported_at"].take();
    assert_eq!(exported[0], alone);
    let usage = document["usage_events"].as_array().expect("a list");
    assert_eq!(usage.len(), 3);
    for event in usage {
        assert_eq!(event["conversation_id"], tree.id.as_str());
        assert_eq!(event["status"], "completed");
    }
    assert_eq!(
        (&usage[0]["prompt_tokens"], &usage[0]["completion_tokens"]),
        (&json!(5), &json!(3))
    );
}

async fn its_conversations_can_be_imported(store: Store) {
    let server = server(store, "1").await;
    let (user, other) = (named(&server, "mover"), server.user());
    live(&server, &user, "mover").await;
    live(&server, &user, "mover").await;
    let document = everything(&user).await;
    let report = other
        .post(
            "/v1/conversations/import",
            &user.get(EXPORT).await.json()["conversations"],
        )
        .await;
    let report = report.data(201);
    assert_eq!(
        report["conversation_ids"].as_array().map(Vec::len),
        Some(2),
        "{report}"
    );
    let copy = everything(&other).await;
    for (copy, original) in [0, 1].map(|n| (&copy["conversations"][n], &document["conversations"][n])) {
        assert_eq!(copy["conversation"]["title"], original["conversation"]["title"]);
        let texts = |one: &Value| {
            let messages = one["messages"].as_array().expect("a list");
            messages
                .iter()
                .map(|message| text(&message["content"]))
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(copy), texts(original));
    }
}

async fn somebody_new_has_an_empty_one(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let document = everything(&user).await;
    for list in ["api_keys", "balance_entries", "usage_events", "conversations"] {
        assert_eq!(document[list], json!([]), "{list}");
    }
    assert_eq!(document["profile"]["id"], json!(user.user));
    assert_eq!(document["balance"]["max_budget"], 1);
}

async fn it_can_be_switched_off(store: Store) {
    let server = TestServer::on_with(store, [("ENABLE_USER_DATA_EXPORT", "false")]).await;
    let refused = server.user().get(EXPORT).await;
    let error = refused.error(403, "FEATURE_DISABLED");
    assert!(text(&error["message"]).contains("ENABLE_USER_DATA_EXPORT"));
}

async fn a_key_cannot_carry_everything_away(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let key = key(&user, "owner").await;
    key.client(&user)
        .get(EXPORT)
        .await
        .error(403, "INSUFFICIENT_SCOPE");
}

async fn it_is_whole_while_others_write(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let mut trees = Vec::new();
    for number in 0..30 {
        let tree = Tree::titled(&user, &format!("{number}")).await;
        tree.add([("user", "one"), ("assistant", "two"), ("user", "three")])
            .await;
        trees.push(tree);
    }
    let changing = async {
        for (index, tree) in trees.iter().enumerate() {
            match index % 3 {
                0 => {
                    tree.delete("").await.data(200);
                }
                1 => {
                    tree.add([("assistant", "four")]).await;
                }
                _ => {
                    Tree::titled(&user, "new").await;
                }
            }
        }
    };
    let exporting = async {
        for _ in 0..10 {
            let document = everything(&user).await;
            let conversations = document["conversations"].as_array().expect("a list");
            assert!(conversations.len() >= 20, "{}", conversations.len());
            for conversation in conversations {
                let messages = conversation["messages"].as_array().expect("a list");
                let branches = conversation["branches"].as_array().expect("a list");
                for branch in branches {
                    let head = &branch["head_message_id"];
                    assert!(head.is_null() || messages.iter().any(|message| message["id"] == *head));
                }
            }
        }
    };
    tokio::join!(changing, exporting);
    assert_eq!(
        everything(&user).await["conversations"].as_array().map(Vec::len),
        Some(30)
    );
}

/// Messages of each of the large conversations.
const MESSAGES: usize = 500;

/// Large conversations. With [`MESSAGES`] and [`MESSAGE_BYTES`] more than all that sockets hold between the two ends.
const LARGE: usize = 10;

/// Bytes of a message.
const MESSAGE_BYTES: usize = 8_000;

async fn fill(user: &Client) {
    let content = "a".repeat(MESSAGE_BYTES);
    for number in 0..LARGE {
        let id = |n: usize| format!("019aafc3-7c52-7d3c-{number:04x}-{n:012x}");
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
        user.post("/v1/conversations/import", &file).await.data(201);
    }
}

/// What came of a document of which only a piece was taken before everything changed: the bytes, and whether it ended as
/// a whole one does.
async fn taken_slowly(user: &Client, meanwhile: impl Future<Output = ()>) -> (Vec<u8>, bool) {
    let request = user.request(Method::GET, EXPORT);
    let mut response = within("the head", request.send()).await.expect("a response");
    let mut taken = within("a piece", response.chunk())
        .await
        .expect("a piece")
        .expect("a piece")
        .to_vec();
    meanwhile.await;
    let ended = within("the end", async {
        loop {
            match response.chunk().await {
                Ok(Some(piece)) => taken.extend(piece),
                ended => return ended.is_ok(),
            }
        }
    })
    .await;
    (taken, ended)
}

async fn a_large_one_is_read_as_it_is_taken(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    fill(&user).await;
    let document = everything(&user).await;
    let conversations = document["conversations"].as_array().expect("a list");
    let messages = conversations
        .iter()
        .map(|one| one["messages"].as_array().map_or(0, Vec::len));
    assert_eq!(messages.sum::<usize>(), LARGE * MESSAGES);
    let (taken, is_whole) = taken_slowly(&user, async {
        super::erase(&user).await;
    })
    .await;
    // What was read ahead would have come all the same.
    assert!(
        taken.len() < LARGE * MESSAGES * MESSAGE_BYTES / 2,
        "{} bytes",
        taken.len()
    );
    assert!(is_whole);
    serde_json::from_slice::<Value>(&taken).expect("JSON, although all of it is gone");
}

async fn one_that_fails_in_the_middle_does_not_end_as_if_it_were_whole(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    fill(&user).await;
    let (_, is_whole) = taken_slowly(&user, async {
        let mut ledger = server.ledger().await;
        ledger
            .execute(
                "UPDATE messages SET metadata = '{'",
                "ALTER TABLE messages RENAME TO hidden",
            )
            .await;
    })
    .await;
    assert!(!is_whole);
    server
        .ledger()
        .await
        .execute("SELECT 1", "ALTER TABLE hidden RENAME TO messages")
        .await;
}
