//! Whoever dies leaves nothing reserved, and what it used is charged.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::{balance, history, nano, script_prices, settled};
use crate::support::process::Process;
use crate::support::time::{pass, within_limit};
use crate::support::{
    Client, Database, EventStream, MODEL, Machine, Reply, Store, eventually, on_each_store,
};

on_each_store!(a_killed_process_settles_when_it_starts_again);

const SETTINGS: [(&str, &str); 3] = [
    ("DEFAULT_USER_BUDGET", "0.01"),
    ("MIN_BALANCE_THRESHOLD", "0.00001"),
    ("ALLOW_UNPRICED_MODELS", "false"),
];

/// Text of some 100 tokens, which is checkpointed before anybody is killed.
async fn open_streams(machine: &Machine, process: &Process, user: &Client) -> Vec<EventStream> {
    let text = "a".repeat(400);
    machine
        .upstream
        .script(MODEL, [Reply::stream().text(&text).hang()]);
    let conversation = json!({"model": MODEL, "message": "Hi", "max_tokens": 200});
    let stateless = json!({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 200, "stream": true});
    let user = user.at(&process.base);
    let streams = [&conversation, &stateless].map(async |body| {
        let mut stream = user.chat_stream(body).await;
        stream.until_text(&text).await;
        stream
    });
    join_all(streams).await
}

async fn a_killed_process_settles_when_it_starts_again(store: Store) {
    let machine = Machine::on(store).await;
    script_prices(&machine.upstream, &[MODEL]);
    let settings = [&SETTINGS[..], &[("CHECKPOINT_SECONDS", "0.1")]].concat();
    let mut process = machine.serve_with(&settings).await;
    let user = process.user();
    let streams = open_streams(&machine, &process, &user).await;
    assert!(nano(&balance(&user).await["reserved"]) > 0);
    checkpointed(&machine, store).await;
    process.kill();
    drop(streams);

    // The catalog is not read before the answers are closed: they cost what they cost when they were begun.
    let process = machine.serve_with(&settings).await;
    let user = user.at(&process.base);
    let balance = settled(&user).await;
    let spent = nano(&balance["spend"]);
    // 100 tokens written in the conversation; of the other stream it is only known what was sent.
    assert!((200_000..240_000).contains(&spent), "{balance}");
    assert_eq!(history(&user).await.len(), 2);
    assert_eq!(nano(&balance["available_balance"]), 10_000_000 - spent);
}

/// Waits until the database has all the text of the conversation.
async fn checkpointed(machine: &Machine, store: Store) {
    eventually("the text to be checkpointed", async || {
        let text = "SELECT coalesce(max(length(content)), 0) FROM checkpoints";
        let bytes: i64 = match store {
            Store::Sqlite => Database::open(machine.data_dir()).await.number(text).await,
            Store::Postgres => {
                let bytes: i32 = sqlx::query_scalar(text)
                    .fetch_one(&mut machine.database().await)
                    .await
                    .expect("a number");
                bytes.into()
            }
        };
        (bytes >= 400).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_settles_what_a_killed_one_left() {
    let machine = Machine::on(Store::Postgres).await;
    script_prices(&machine.upstream, &[MODEL]);
    let (mut dying, living) = tokio::join!(
        machine.instance_with("dying", &SETTINGS),
        machine.instance_with("living", &SETTINGS)
    );
    let user = dying.user();
    let streams = open_streams(&machine, &dying, &user).await;
    let user = user.at(&living.base);
    let reserved = nano(&balance(&user).await["reserved"]);
    assert!(reserved > 0, "each instance sees what the other one holds back");
    dying.kill();
    drop(streams);
    let limit = Duration::from_secs(40);
    within_limit(limit, "the reservations to be settled", async {
        while nano(&balance(&user).await["reserved"]) > 0 {
            pass(Duration::from_millis(200)).await;
        }
    })
    .await;
    let balance = balance(&user).await;
    let spent = nano(&balance["spend"]);
    assert!(spent > 0 && spent <= reserved, "{balance}");
    assert_eq!(nano(&balance["available_balance"]), 10_000_000 - spent);
    assert_eq!(history(&user).await.len(), 2);
}
