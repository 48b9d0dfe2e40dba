//! The memory of all replay logs together is bounded: what is given up for it, and what never is.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, Client, EventStream, Gate, MODEL, Reply, TestServer, chunk};

/// The smallest `REPLAY_MAX_BYTES`.
const BUDGET: usize = 1024 * 1024;

/// Models whose answers are small, in tests where that of `MODEL` is large.
const SMALL: &str = "small-model";

async fn start() -> TestServer {
    let settings = [
        ("REPLAY_MAX_BYTES", &*BUDGET.to_string()),
        ("MAX_CONCURRENT_STREAMS_PER_USER", "100"),
    ];
    TestServer::with(settings).await
}

fn ask(model: &str) -> Value {
    json!({"model": model, "message": "Hi"})
}

fn path_of(stream: &EventStream) -> String {
    format!("/v1/chat/streams/{}", stream.stream_id())
}

/// Text of so many bytes that tells its number. No two are alike, since logs hold what is alike once.
fn block(number: usize, bytes: usize) -> String {
    let mut state = number as u64 + 1;
    let letters = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + state.to_be_bytes()[0] % 26)
    });
    format!("<{number}>{}", letters.take(bytes).collect::<String>())
}

/// Waits until the server has put an ended answer away; `[DONE]` is sent just before.
async fn until_put_away(user: &Client, path: &str) {
    let answer = user.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_logs_are_forgotten_first_and_their_messages_kept() {
    let server = start().await;
    let user = server.user();
    let blocks: Vec<_> = (0..20).map(|number| block(number, BUDGET / 32)).collect();
    server
        .upstream
        .script(MODEL, [Reply::answer(blocks.iter().map(String::as_str))]);
    let first = user.chat_stream(&ask(MODEL)).await;
    let forgotten = path_of(&first);
    let first = first.finish().await;
    until_put_away(&user, &forgotten).await;

    let second = user.chat_stream(&ask(MODEL)).await;
    let kept = path_of(&second);
    let second = second.finish().await;
    assert_eq!(second.text(), blocks.concat());

    let error = user.get(&forgotten).await.error(404, "STREAM_NOT_FOUND");
    assert_eq!(error["details"]["message_id"], first.message());
    let messages = user.messages(&first.conversation()).await;
    assert_eq!(messages[1]["content"], blocks.concat());
    assert_eq!(
        user.stream(&kept).await.finish().await,
        second,
        "the newer one is whole"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_log_loses_its_beginning_but_the_answer_nothing() {
    const BLOCKS: usize = 40;
    let server = start().await;
    let user = server.user();
    let gate = Gate::new();
    let blocks: Vec<_> = (0..BLOCKS).map(|number| block(number, BUDGET / 20)).collect();
    let reply = blocks
        .iter()
        .fold(Reply::stream(), |reply, block| reply.text(block).wait(&gate));
    server.upstream.script(MODEL, [reply.end()]);

    let mut reader = user.chat_stream(&ask(MODEL)).await;
    let path = path_of(&reader);
    // The model goes on only when its reader has caught up, so that this reader never falls behind.
    for number in 0..BLOCKS {
        reader.until_text(&format!("<{number}>")).await;
        if number + 1 < BLOCKS {
            gate.open();
        }
    }
    let late = user.stream(&path).await.finish().await;
    let error = late.error("STREAM_INTERRUPTED");
    assert_eq!(error["type"], "api_error");
    assert_eq!(late.text(), "", "not from the middle");

    gate.open();
    let rest = reader.finish().await;
    assert!(
        rest.last().get("error").is_none(),
        "the one who kept up sees the end"
    );
    let conversation = rest.last()["conversation_id"].as_str().expect("an id").to_owned();
    let answer = &user.messages(&conversation).await[1];
    assert_eq!(answer["status"], "completed");
    assert_eq!(answer["content"], blocks.concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn new_answers_are_refused_only_while_running_ones_fill_the_memory() {
    let server = start().await;
    let user = server.user();
    let gate = Gate::new();
    // One answer leaves room for the beginnings of a few others, before any of their text.
    let overhead = chunk::text("").len() + 100;
    let large = (0..125).fold(Reply::stream(), |reply, number| {
        reply.text(&block(number, BUDGET / 128 - overhead))
    });
    let last = large.text("<end>").wait(&gate).end();
    server.upstream.script(MODEL, [last]);
    server
        .upstream
        .script(SMALL, [Reply::held(&gate, Reply::answer(["small"]))]);
    let mut running = user.chat_stream(&ask(MODEL)).await;
    running.until_text("<end>").await;

    let mut held = JoinSet::new();
    let refused = loop {
        assert!(held.len() < 20, "never refused");
        let before = server.upstream.chats().len();
        let mut chat = Box::pin(Answer::to(
            user.request(Method::POST, "/v1/chat/completions")
                .json(&ask(SMALL)),
        ));
        tokio::select! {
            refused = &mut chat => break refused,
            () = server.upstream.wait_for_chats(before + 1) => held.spawn(chat),
        };
    };
    refused.error(503, "OVERLOADED");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(!held.is_empty(), "the large answer alone was within the budget");

    for _ in 0..=held.len() {
        gate.open();
    }
    running.finish().await;
    for answer in held.join_all().await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    gate.open();
    let transcript = user.chat_stream(&ask(SMALL)).await.finish().await;
    assert_eq!(transcript.text(), "small");
}
