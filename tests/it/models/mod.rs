//! `/v1/models`: what is known of models, from whom, and what is made of it.

mod comparing;
mod filters;
mod finding;
mod listing;
mod litellm;
mod prices;
mod providers;
mod reading;

use serde_json::{Value, json};

use crate::support::{Client, Reply, TestServer, Upstream};

const ROUTE: &str = "/v1/models";

/// A server whose model server has these groups, in LiteLLM's words, and no other list.
async fn with_groups(groups: Value) -> TestServer {
    let server = TestServer::start().await;
    script_groups(&server.upstream, groups);
    server.upstream.script_path("/models", empty());
    refresh(&server.user()).await;
    server
}

/// Has the model server tell of these groups from now on.
fn script_groups(upstream: &Upstream, groups: Value) {
    let mut body = json!({});
    body["data"] = groups;
    upstream.script_path("/model_group/info", Reply::json(200, &body));
}

/// A list without models.
fn empty() -> Reply {
    Reply::json(200, &json!({"object": "list", "data": []}))
}

/// Has the models read again.
async fn refresh(user: &Client) -> Value {
    user.post(&format!("{ROUTE}/refresh"), &json!({})).await.data(200)
}

/// The whole answer of a list.
async fn list(user: &Client, query: &str) -> Value {
    let answer = user.get(&format!("{ROUTE}{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The ids in the `data` of a list.
async fn ids(user: &Client, query: &str) -> Vec<String> {
    ids_of(&list(user, query).await["data"])
}

fn ids_of(models: &Value) -> Vec<String> {
    let models = models.as_array().expect("a list");
    models
        .iter()
        .map(|model| crate::support::client::text(&model["id"]))
        .collect()
}
