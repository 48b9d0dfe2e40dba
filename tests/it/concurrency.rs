//! Many at once: on one conversation, and each on their own.

use std::collections::HashSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{
    Answer, Client, Gate, MODEL, Reply, Store, TestServer, Tree, client, eventually, on_each_store, within,
};

on_each_store!(
    of_fifty_answers_to_one_message_one_is_written,
    thirty_two_users_chat_side_by_side,
    thirty_two_writers_of_one_branch_make_one_line,
    thirty_two_clients_share_one_tree,
);

const CHAT: &str = "/v1/chat/completions";

async fn of_fifty_answers_to_one_message_one_is_written(store: Store) {
    for below_the_head in [false, true] {
        let server = TestServer::on_with(store, [("MAX_CONCURRENT_STREAMS_PER_USER", "100")]).await;
        let user = server.user();
        let first = user
            .chat_stream(&json!({"model": MODEL, "message": "one"}))
            .await
            .finish()
            .await;
        let conversation = first.conversation();
        let mut next = json!({"model": MODEL, "message": "two", "conversation_id": conversation});
        let mut expected = 4;
        if below_the_head {
            user.chat_stream(&next).await.finish().await;
            expected += 2;
        }
        next["parent_message_id"] = json!(first.message());
        assert_one_answers(&server, &user, &next).await.open();
        let messages = eventually("the one answer", async || {
            let messages = user.messages(&conversation).await;
            let all_ended = messages.iter().all(|message| message["status"] == "completed");
            all_ended.then_some(messages)
        })
        .await;
        assert_eq!(messages.len(), expected);
    }
}

/// Sends the same fifty times at once; the one that is answered waits at the gate.
async fn assert_one_answers(server: &TestServer, user: &Client, body: &Value) -> Gate {
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::stream().text("a").wait(&gate).end()]);
    let chats_before = server.upstream.chats().len();
    let all = (0..50).map(|_| user.request(Method::POST, CHAT).json(body).send());
    let responses = within("fifty answers", join_all(all)).await;
    let mut streams = Vec::new();
    let mut refused = Vec::new();
    for response in responses {
        let response = response.expect("a response");
        if response.status() == 200 {
            streams.push(client::header(response.headers(), "x-stream-id").to_owned());
        } else {
            refused.push(Answer::read(response).await);
        }
    }
    assert_eq!(streams.len(), 1, "{refused:?}");
    for answer in &refused {
        let error = answer.error(409, "GENERATION_IN_PROGRESS");
        assert_eq!(error["details"]["stream_id"], streams[0]);
    }
    assert_eq!(
        server.upstream.chats().len(),
        chats_before + 1,
        "one question was asked"
    );
    gate
}

async fn thirty_two_users_chat_side_by_side(store: Store) {
    const TURNS: usize = 3;
    let server = TestServer::on(store).await;
    let users: Vec<_> = (0..32).map(|_| server.user()).collect();
    join_all(users.iter().map(async |user| {
        let conversation = user.new_conversation(&json!({"title": "mine"})).await;
        for turn in 0..TURNS {
            let body =
                json!({"model": MODEL, "message": format!("turn {turn}"), "conversation_id": conversation});
            let transcript = user.chat_stream(&body).await.finish().await;
            assert_eq!(transcript.text(), "Hello there!");
        }
        let messages = user.messages(&conversation).await;
        assert_eq!(messages.len(), 2 * TURNS);
        for (n, message) in messages.iter().enumerate() {
            assert_eq!(message["status"], "completed");
            let expected = match n % 2 {
                0 => format!("turn {}", n / 2),
                _ => "Hello there!".to_owned(),
            };
            assert_eq!(message["content"], expected);
        }
    }))
    .await;
    let mut ledger = server.ledger().await;
    let usage = ledger.entries().await;
    assert_eq!(usage.len(), 32 * TURNS);
    for user in &users {
        let of_user = usage.iter().filter(|entry| entry.user_id == user.user).count();
        assert_eq!(of_user, TURNS);
    }
}

async fn thirty_two_writers_of_one_branch_make_one_line(store: Store) {
    const MESSAGES: usize = 3;
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    join_all((0..32).map(async |writer| {
        for n in 0..MESSAGES {
            tree.add([("user", &*format!("{writer}: {n}"))]).await;
        }
    }))
    .await;
    let messages = tree.on(&tree.active().await).await;
    assert_eq!(messages.len(), 32 * MESSAGES);
    assert!(
        messages.iter().all(|message| message["has_branches"] == false),
        "nobody forked the tree"
    );
    for writer in 0..32 {
        let of_writer = messages.iter().map(|message| text(&message["content"]));
        let of_writer: Vec<_> = of_writer
            .filter(|text| text.starts_with(&format!("{writer}: ")))
            .collect();
        let expected: Vec<_> = (0..MESSAGES).map(|n| format!("{writer}: {n}")).collect();
        assert_eq!(of_writer, expected, "all are there, in the order of their writer");
    }
    let conversation = tree.read().await;
    assert_eq!(conversation["message_count"], 32 * MESSAGES);
    let branch = &conversation["branches"][0];
    assert_eq!(branch["head_message_id"], messages[messages.len() - 1]["id"]);
}

async fn thirty_two_clients_share_one_tree(store: Store) {
    let settings = [
        ("MAX_CONCURRENT_STREAMS_PER_USER", "100"),
        ("MAX_BRANCHES_PER_CONVERSATION", "1000"),
    ];
    let server = TestServer::on_with(store, settings).await;
    let tree = Tree::new(&server).await;
    let root = tree.chat("root").await;
    let done = join_all((0..32).map(|client| work(&tree, &root.answer, client))).await;
    let answers: Vec<_> = done.into_iter().flatten().collect();
    for refused in answers.iter().filter(|answer| answer.status >= 400) {
        let code = text(&refused.json()["error"]["code"]);
        assert_eq!(refused.status, 409, "{refused:?}");
        assert!(
            ["CONFLICT", "GENERATION_IN_PROGRESS"].contains(&&*code),
            "a reason: {refused:?}"
        );
        assert_eq!(refused.header("x-should-retry"), "false");
    }
    let grown = Grown::read(&tree).await;
    let ids = ids_of(&grown.messages);
    for made in answers.iter().filter(|answer| answer.status < 300) {
        let body = made.json();
        let of_chat = ["user_message_id", "message_id"].map(|name| body[name].as_str());
        let added = body["data"]["role"].as_str().and(body["data"]["id"].as_str());
        for id in of_chat.into_iter().chain([added]).flatten() {
            assert!(ids.contains(id), "a message was lost: {made:?}");
        }
    }
    assert_sound(&grown, &ids);
}

/// What one of the clients does: it writes and asks at the end of the active branch, edits beside, forks and merges.
async fn work(tree: &Tree, at: &str, client: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut ask = tree.ask(&format!("chat of {client}"));
    ask["stream"] = json!(false);
    answers.push(tree.user.chat(&ask).await);
    let body = json!({"role": "user", "content": format!("note of {client}")});
    let note = tree.post("/messages", &body).await;
    if note.status == 201 {
        let path = format!("/messages/{}", text(&note.json()["data"]["id"]));
        let beside = json!({"content": format!("edit of {client}"), "create_branch": true});
        answers.push(tree.patch(&path, &beside).await);
    }
    answers.push(note);
    let fork = tree.post("/branches", &json!({"from_message_id": at})).await;
    let branch = text(&fork.data(201)["id"]);
    let body = json!({"role": "user", "content": format!("own of {client}"), "branch_id": branch});
    answers.push(tree.post("/messages", &body).await);
    answers.push(tree.post(&format!("/branches/{branch}/merge"), &json!({})).await);
    answers.push(
        tree.post(&format!("/branches/{branch}/activate"), &json!({}))
            .await,
    );
    answers
}

/// A conversation as `/full` shows it. Its nested tree is left out: it is deeper than `serde_json` follows.
#[derive(Deserialize)]
struct Grown {
    conversation: Value,
    branches: Vec<Value>,
    messages: Vec<Value>,
}

impl Grown {
    async fn read(tree: &Tree) -> Self {
        let full = tree.get("/full").await;
        let body: Success<Self> = serde_json::from_slice(&full.body).expect("a conversation");
        body.data
    }
}

#[derive(Deserialize)]
struct Success<T> {
    data: T,
}

fn ids_of(messages: &[Value]) -> HashSet<String> {
    messages.iter().map(|message| text(&message["id"])).collect()
}

/// One tree, whose branches end in it, and whose counts are right.
fn assert_sound(grown: &Grown, ids: &HashSet<String>) {
    let Grown {
        conversation,
        branches,
        messages,
    } = grown;
    assert_eq!(messages.len(), ids.len(), "each message once");
    assert_eq!(conversation["message_count"], ids.len());
    assert_eq!(conversation["branch_count"], branches.len());
    let is_there = |id: &Value| id.as_str().is_none_or(|id| ids.contains(id));
    for message in messages {
        assert!(is_there(&message["parent_id"]), "an orphan: {message}");
        assert_eq!(message["status"], "completed", "{message}");
    }
    for branch in branches {
        let ends = ["head_message_id", "parent_message_id"].map(|end| is_there(&branch[end]));
        assert_eq!(ends, [true, true], "{branch}");
    }
    let active = branches.iter().filter(|branch| branch["is_active"] == true);
    assert_eq!(active.count(), 1, "one branch is active");
}
