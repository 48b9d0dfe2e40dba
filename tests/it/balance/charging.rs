//! What answers cost their users.

use reqwest::Method;
use serde_json::json;

use super::{balance, history, message, messages, nano, server, settled};
use crate::support::{Client, EventStream, Gate, MODEL, Reply, Store, chunk, on_each_store};

on_each_store!(
    a_new_user_has_the_budget_of_new_users,
    an_answer_is_charged_what_it_cost,
    while_an_answer_is_written_its_worst_case_is_reserved,
    a_refused_answer_costs_nothing,
    a_partial_answer_is_charged_for_what_was_produced,
    what_is_only_estimated_costs_no_more_than_was_reserved,
    an_answer_whose_model_has_left_the_catalog_is_charged,
    a_whole_answer_that_breaks_off_is_charged_for_what_was_sent,
    attempts_are_entered_one_by_one,
    without_a_budget_everything_is_charged_and_nothing_reserved,
    an_upstream_that_names_a_nonsensical_cost_is_not_believed,
);

/// A streamed answer that the model counts as so many tokens.
fn counted(prompt: u64, completion: u64) -> Reply {
    let reply = Reply::stream().text("Hello").event(chunk::finish("stop"));
    reply.event(chunk::usage(prompt, completion)).done()
}

async fn a_new_user_has_the_budget_of_new_users(store: Store) {
    let server = server(store, "2.5").await;
    let user = server.user();
    let expected = json!({"available_balance": 2.5, "reserved": 0, "spend": 0, "max_budget": 2.5, "period_spend": 0,
        "is_low": false, "can_chat": true});
    assert_eq!(balance(&user).await, expected);
    assert_eq!(history(&user).await, Vec::<serde_json::Value>::new());
}

async fn an_answer_is_charged_what_it_cost(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    server.upstream.script(MODEL, [counted(7, 20)]);
    let transcript = user.chat_stream(&message(true)).await.finish().await;
    let balance = settled(&user).await;
    assert_eq!(
        balance["spend"], 0.000_047,
        "7 tokens at 1 and 20 at 2 millionths"
    );
    assert_eq!(balance["period_spend"], balance["spend"]);
    assert_eq!(balance["available_balance"], 0.999_953);
    let [entry] = &history(&user).await[..] else {
        panic!("one entry")
    };
    assert_eq!(entry["type"], "charge");
    assert_eq!(
        (&entry["amount"], &entry["balance_after"]),
        (&json!(0.000_047), &json!(0.999_953))
    );
    assert_eq!(
        (&entry["model"], &entry["message_id"]),
        (&json!(MODEL), &json!(transcript.message()))
    );

    let mut spent = 47_000;
    server.upstream.script(MODEL, [Reply::completion("Hi")]);
    for body in [message(false), messages(false)] {
        assert_eq!(user.chat(&body).await.status, 200);
        spent += 5_000 + 2 * 3_000;
        assert_eq!(nano(&settled(&user).await["spend"]), spent);
    }
    server.upstream.script(MODEL, [counted(1, 1)]);
    user.chat_stream(&messages(true)).await.finish().await;
    assert_eq!(nano(&settled(&user).await["spend"]), spent + 3_000);
    assert_eq!(history(&user).await.len(), 4);
    let stranger = server.user();
    assert_eq!(
        history(&stranger).await.len(),
        0,
        "everybody has an account of their own"
    );
}

async fn while_an_answer_is_written_its_worst_case_is_reserved(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::stream().text("one").wait(&gate).text("two").end()]);
    let mut stream = user.chat_stream(&message(true)).await;
    stream.until_text("one").await;
    let during = balance(&user).await;
    let reserved = nano(&during["reserved"]);
    // Two bytes of text and a message are 18 tokens at most.
    assert_eq!(reserved, 18 * 1_000 + 100 * 2_000);
    assert_eq!(nano(&during["available_balance"]), 1_000_000_000 - reserved);
    assert_eq!(during["spend"], 0);
    gate.open();
    stream.finish().await;
    assert_eq!(
        nano(&settled(&user).await["available_balance"]),
        1_000_000_000 - 11_000
    );
}

async fn a_refused_answer_costs_nothing(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    server
        .upstream
        .script(MODEL, [Reply::error(400, "invalid_request_error", "no")]);
    for body in [message(true), message(false)] {
        user.chat(&body).await.error(422, "UPSTREAM_REJECTED");
    }
    for body in [messages(true), messages(false)] {
        assert_eq!(user.chat(&body).await.status, 400);
    }
    let balance = settled(&user).await;
    assert_eq!(
        (&balance["spend"], &balance["available_balance"]),
        (&json!(0), &json!(1))
    );
}

async fn a_partial_answer_is_charged_for_what_was_produced(store: Store) {
    let server = server(store, "1").await;
    let text = "a".repeat(400);
    let hanging = Reply::stream().text(&text).hang();
    for stop in [cancel, hang_up] {
        server.upstream.script(MODEL, [hanging.clone()]);
        let user = server.user();
        stop(&user).await;
        let spent = nano(&settled(&user).await["spend"]);
        // 400 bytes are some 100 tokens; what was read comes to a few.
        assert!((200_000..220_000).contains(&spent), "{spent}");
        let entries = server.ledger().await.entries().await;
        let entry = entries
            .iter()
            .find(|entry| entry.user_id == user.user)
            .expect("an entry");
        assert!(entry.estimated && entry.cost == Some(spent), "{entry:?}");
        assert_eq!(entry.status, "cancelled");
    }
}

async fn what_is_only_estimated_costs_no_more_than_was_reserved(store: Store) {
    let server = server(store, "0.0003").await;
    // A model that says nothing of tokens, and writes far more than it may.
    let long = Reply::stream()
        .text(&"word ".repeat(2_000))
        .event(chunk::finish("stop"));
    server.upstream.script(MODEL, [long.done()]);
    for body in [message(true), messages(true)] {
        let user = server.user();
        user.chat_stream(&body).await.finish().await;
        let balance = settled(&user).await;
        let left = nano(&balance["available_balance"]);
        assert!((0..90_000).contains(&left), "{balance}");
    }
}

async fn an_answer_whose_model_has_left_the_catalog_is_charged(store: Store) {
    let server = server(store, "1").await;
    let gate = Gate::new();
    for body in [message(true), messages(true)] {
        super::script_prices(&server.upstream, &[MODEL]);
        let user = server.user();
        user.post("/v1/models/refresh", &json!({})).await.data(200);
        let reply = Reply::stream().text("one").wait(&gate);
        let reply = reply
            .event(chunk::finish("stop"))
            .event(chunk::usage(7, 20))
            .done();
        server.upstream.script(MODEL, [reply]);
        let mut stream = user.chat_stream(&body).await;
        stream.until_text("one").await;
        super::script_prices(&server.upstream, &["another"]);
        user.post("/v1/models/refresh", &json!({})).await.data(200);
        gate.open();
        stream.finish().await;
        assert_eq!(
            settled(&user).await["spend"],
            0.000_047,
            "at the prices that it was begun at"
        );
    }
}

async fn a_whole_answer_that_breaks_off_is_charged_for_what_was_sent(store: Store) {
    let server = server(store, "1").await;
    let cut = Reply::head(200, "application/json").bytes("{\"id\":").cut();
    server.upstream.script(MODEL, [cut]);
    for body in [message(false), messages(false)] {
        let user = server.user();
        let answer = user.chat(&body).await;
        assert!([502, 503].contains(&answer.status), "{answer:?}");
        let spent = nano(&settled(&user).await["spend"]);
        assert!((1_000..20_000).contains(&spent), "{spent}");
    }
}

type Stop = fn(&Client) -> futures_util::future::BoxFuture<'_, ()>;

#[expect(non_upper_case_globals, reason = "they stand for functions")]
const cancel: Stop = |user| {
    Box::pin(async move {
        let mut stream = user.chat_stream(&message(true)).await;
        stream.next().await;
        stream.next().await;
        let path = format!("/v1/chat/streams/{}/cancel", stream.stream_id());
        user.post(&path, &json!({})).await.data(200);
    })
};

#[expect(non_upper_case_globals, reason = "they stand for functions")]
const hang_up: Stop = |user| {
    Box::pin(async move {
        let mut stream =
            EventStream::open(user.request(Method::POST, super::CHAT).json(&messages(true))).await;
        stream.next().await;
    })
};

async fn attempts_are_entered_one_by_one(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let busy = Reply::error(503, "server_error", "busy");
    server
        .upstream
        .script(MODEL, [busy.clone(), busy, Reply::completion("Hi")]);
    assert_eq!(user.chat(&message(false)).await.status, 200);
    settled(&user).await;
    let entries = server.ledger().await.entries().await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (&*entry.status, entry.error.as_deref(), entry.cost))
        .collect();
    assert_eq!(
        told,
        [
            ("retried", Some("unavailable"), None),
            ("retried", Some("unavailable"), None),
            ("completed", None, Some(11_000))
        ]
    );
}

async fn without_a_budget_everything_is_charged_and_nothing_reserved(store: Store) {
    let server = server(store, "unlimited").await;
    let user = server.user();
    let gate = Gate::new();
    server.upstream.script(
        MODEL,
        [Reply::stream().text("one").wait(&gate).end(), counted(5, 3)],
    );
    let mut stream = user.chat_stream(&message(true)).await;
    stream.until_text("one").await;
    let during = balance(&user).await;
    assert_eq!(
        (&during["reserved"], &during["max_budget"]),
        (&json!(0), &json!(null))
    );
    gate.open();
    stream.finish().await;
    let balance = settled(&user).await;
    assert_eq!(balance["spend"], 0.000_011);
    assert_eq!(
        (&balance["available_balance"], &balance["can_chat"]),
        (&json!(null), &json!(true))
    );
    let unpriced = json!({"model": "unheard-of", "message": "Hi"});
    assert_eq!(
        user.chat(&unpriced).await.status,
        200,
        "nobody needs a price here"
    );
    assert_eq!(history(&user).await[0]["balance_after"], json!(null));
}

async fn an_upstream_that_names_a_nonsensical_cost_is_not_believed(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    for cost in ["-5", "NaN", "1e300", "free"] {
        let reply = Reply::completion("Hi").header("x-litellm-response-cost", cost);
        server.upstream.script(MODEL, [reply]);
        assert_eq!(user.chat(&messages(false)).await.status, 200);
    }
    let balance = settled(&user).await;
    assert_eq!(
        nano(&balance["spend"]),
        4 * 11_000,
        "the prices count, and nothing is given"
    );
}
