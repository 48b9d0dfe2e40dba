//! Money: what users may spend, what answers cost them, and who is refused.

mod charging;
mod crashes;
mod operator;
mod race;
mod refusing;
mod shortening;

use serde_json::{Value, json};

use crate::support::{Client, MODEL, Reply, Store, TestServer, Upstream, eventually};

const BALANCE: &str = "/v1/users/me/balance";
const HISTORY: &str = "/v1/users/me/balance/history";
const CHAT: &str = "/v1/chat/completions";

/// Has these models cost 1 dollar for a million tokens that are read, and 2 for a million that are written.
pub fn script_prices(upstream: &Upstream, models: &[&str]) {
    let priced = |model: &&str| {
        json!({"model_group": model, "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
            "max_input_tokens": 100_000, "max_output_tokens": 5_000})
    };
    let groups: Vec<_> = models.iter().map(priced).collect();
    upstream.script_path("/model_group/info", Reply::json(200, &json!({"data": groups})));
}

/// A server on which new users may spend so many dollars, and [`MODEL`] has a price.
pub async fn server(store: Store, budget: &str) -> TestServer {
    let settings = [
        ("DEFAULT_USER_BUDGET", budget),
        ("MIN_BALANCE_THRESHOLD", "0.00001"),
        ("ALLOW_UNPRICED_MODELS", "false"),
    ];
    let server = TestServer::on_with(store, settings).await;
    script_prices(&server.upstream, &[MODEL]);
    server
        .user()
        .post("/v1/models/refresh", &json!({}))
        .await
        .data(200);
    server
}

pub async fn balance(user: &Client) -> Value {
    user.get(BALANCE).await.data(200)
}

pub async fn history(user: &Client) -> Vec<Value> {
    let page = user.get(&format!("{HISTORY}?limit=100")).await.data(200);
    page["items"].as_array().expect("a list").clone()
}

/// The balance, once nothing is reserved any more.
pub async fn settled(user: &Client) -> Value {
    eventually("all reservations to be settled", async || {
        let balance = balance(user).await;
        (balance["reserved"] == 0).then_some(balance)
    })
    .await
}

/// An amount in nano-dollars.
pub fn nano(amount: &Value) -> i64 {
    let text = amount.to_string();
    let money = ai_chat_orchestrator::models::money::Money::parse_dollars(text.trim_start_matches('-'));
    let nano = money.unwrap_or_else(|| panic!("no amount: {text}")).nano();
    if text.starts_with('-') { -nano } else { nano }
}

pub fn message(stream: bool) -> Value {
    json!({"model": MODEL, "message": "Hi", "max_tokens": 100, "stream": stream})
}

pub fn messages(stream: bool) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100, "stream": stream})
}
