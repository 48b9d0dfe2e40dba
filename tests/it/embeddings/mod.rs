//! Embeddings: what is passed on, what is refused, and what it costs.

mod charging;
mod demo;
mod failing;
mod litellm;
mod passing;
mod refusing;

use serde_json::{Value, json};

use crate::support::{Answer, Client, MODEL, Reply, Store, TestServer, eventually};

const ROUTE: &str = "/v1/embeddings";

fn request() -> Value {
    json!({"model": MODEL, "input": "red apples"})
}

async fn embed(user: &Client, body: &Value) -> Answer {
    user.post(ROUTE, body).await
}

/// A server on which new users may spend so many dollars, and [`MODEL`] costs 1 dollar for a million tokens that it
/// reads. What it would cost to have it write nobody says.
async fn server(store: Store, budget: &str) -> TestServer {
    let settings = [
        ("DEFAULT_USER_BUDGET", budget),
        ("MIN_BALANCE_THRESHOLD", "0.000001"),
        ("ALLOW_UNPRICED_MODELS", "false"),
    ];
    let server = TestServer::on_with(store, settings).await;
    let group = json!({"model_group": MODEL, "mode": "embedding", "input_cost_per_token": 1e-06});
    server
        .upstream
        .script_path("/model_group/info", Reply::json(200, &json!({"data": [group]})));
    server
        .user()
        .post("/v1/models/refresh", &json!({}))
        .await
        .data(200);
    server
}

async fn balance(user: &Client) -> Value {
    user.get("/v1/users/me/balance").await.data(200)
}

/// The balance, once nothing is reserved any more and something is spent.
async fn charged(user: &Client) -> Value {
    eventually("the embeddings to be charged", async || {
        let balance = balance(user).await;
        (balance["reserved"] == 0 && balance["spend"] != 0).then_some(balance)
    })
    .await
}
