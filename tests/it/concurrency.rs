//! Many at once: on one conversation, and each on their own.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Gate, MODEL, Reply, TestServer, client, eventually, within};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_answers_to_one_message_one_is_written() {
    for below_the_head in [false, true] {
        let server = TestServer::with([("MAX_CONCURRENT_STREAMS_PER_USER", "100")]).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_users_chat_side_by_side() {
    const TURNS: usize = 3;
    let server = TestServer::start().await;
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
    let mut database = server.database().await;
    let usage = database.usage().await;
    assert_eq!(usage.len(), 32 * TURNS);
    for user in &users {
        let of_user = usage.iter().filter(|entry| entry.user_id == user.user).count();
        assert_eq!(of_user, TURNS);
    }
}
