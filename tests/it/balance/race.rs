//! However many ask at once, and however their answers end: nobody spends more than their budget.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use super::{history, nano, script_prices, settled};
use crate::support::{Client, EventStream, Reply, Store, TestServer, chunk, on_each_store};

on_each_store!(two_hundred_at_once_spend_no_more_than_the_budget);

/// The most tokens that each answer may have.
const MAX_TOKENS: u64 = 100;

/// What an answer to "Hi" in a conversation costs at worst, in nano-dollars.
const WORST: i64 = 18 * 1_000 + 100 * 2_000;

/// How answers end.
const MODELS: [&str; 5] = ["whole", "dear", "hanging", "cut", "failing"];

async fn two_hundred_at_once_spend_no_more_than_the_budget(store: Store) {
    let budget = format!("0.{:09}", 10 * WORST);
    let settings = [
        ("DEFAULT_USER_BUDGET", &*budget),
        ("MIN_BALANCE_THRESHOLD", "0.00001"),
        ("ALLOW_UNPRICED_MODELS", "false"),
        ("MAX_CONCURRENT_STREAMS_PER_USER", "300"),
        ("LITELLM_MAX_RETRIES", "0"),
    ];
    let server = TestServer::on_with(store, settings).await;
    script(&server);
    server
        .user()
        .post("/v1/models/refresh", &json!({}))
        .await
        .data(200);
    let user = server.user();
    let asking: FuturesUnordered<_> = (0..200).map(|number| ask(&user, number)).collect();
    let statuses: Vec<u16> = asking.collect().await;
    let balance = settled(&user).await;
    let spend = nano(&balance["spend"]);
    assert!(spend <= 10 * WORST, "{spend}");
    assert!(spend > WORST, "some were answered: {balance} {statuses:?}");
    assert!(statuses.contains(&402), "not all of them: {statuses:?}");
    assert_eq!(spend + nano(&balance["available_balance"]), 10 * WORST);

    let entries = server.ledger().await.entries().await;
    let charged: i64 = entries.iter().filter_map(|entry| entry.cost).sum();
    assert_eq!(charged, spend, "the ledger has it all");
    let mut left = 10 * WORST;
    for entry in history(&user).await.iter().rev() {
        assert_eq!(entry["type"], "charge");
        left -= nano(&entry["amount"]);
        assert_eq!(nano(&entry["balance_after"]), left, "{entry}");
    }
    assert_eq!(left, 10 * WORST - spend);
    let metrics = server.anonymous().get("/metrics").await.text();
    for expected in ["reservation_overruns_total 0", "reservation_leaks_total 0"] {
        assert!(metrics.contains(expected), "{expected}");
    }
    // Nothing is locked up: what is left covers another answer, or there is not enough left for one.
    let left = 10 * WORST - spend;
    let body = json!({"model": "whole", "message": "Hi", "max_tokens": 1, "stream": false});
    let expected = if left >= 20_000 { 200 } else { 402 };
    assert_eq!(user.chat(&body).await.status, expected, "{left}");
}

fn script(server: &TestServer) {
    script_prices(&server.upstream, &MODELS);
    let upstream = &server.upstream;
    // As dear as it may be: what was held back is used to the last token.
    let dear = Reply::stream().text("Hello").event(chunk::finish("length"));
    upstream.script("dear", [dear.usage_up_to_limit(18).done()]);
    upstream.script("whole", [Reply::completion("Hello")]);
    upstream.script("hanging", [Reply::stream().text("Hello").hang()]);
    upstream.script("cut", [Reply::stream().text("Hello").cut()]);
    upstream.script("failing", [Reply::error(500, "server_error", "boom")]);
}

/// Asks in one of many ways, and tells the status.
async fn ask(user: &Client, number: usize) -> u16 {
    let model = MODELS[number % MODELS.len()];
    let is_stateless = (number / MODELS.len()).is_multiple_of(2);
    let body = body(model, is_stateless);
    let response = user
        .request(reqwest::Method::POST, super::CHAT)
        .json(&body)
        .send()
        .await
        .expect("an answer");
    let status = response.status().as_u16();
    let Ok(mut stream) = EventStream::of(response) else {
        return status;
    };
    if model == "hanging" {
        stream.until_text("Hello").await;
        if is_stateless {
            // Nobody comes back for it.
            drop(stream);
        } else {
            let path = format!("/v1/chat/streams/{}/cancel", stream.stream_id());
            user.post(&path, &json!({})).await.data(200);
        }
    } else {
        stream.finish().await;
    }
    status
}

fn body(model: &str, is_stateless: bool) -> Value {
    let stream = model != "whole";
    if is_stateless {
        json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": MAX_TOKENS, "stream": stream})
    } else {
        json!({"model": model, "message": "Hi", "max_tokens": MAX_TOKENS, "stream": stream})
    }
}
