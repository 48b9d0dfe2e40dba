//! However many users and models there are, metrics stay small enough to be scraped.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Client, Reply, TestServer, eventually};

/// More than metrics name.
const MODELS: usize = 250;

/// A server whose model server has `MODELS` models.
async fn with_many_models(user_label_limit: &str) -> TestServer {
    let server = TestServer::with([("METRICS_USER_LABEL_LIMIT", user_label_limit)]).await;
    let groups: Vec<_> = (0..MODELS)
        .map(|n| json!({"model_group": format!("model-{n}")}))
        .collect();
    let groups = Reply::json(200, &json!({"data": groups}));
    server.upstream.script_path("/model_group/info", groups);
    let refreshed = server
        .user()
        .post("/v1/models/refresh", &json!({}))
        .await
        .data(200);
    assert!(
        refreshed["models"].as_u64().expect("a count") >= 250,
        "{refreshed}"
    );
    server
}

/// Has each model answer a user of its own, and a model that does not exist another; the metrics then.
async fn chat_with_all(server: &TestServer) -> String {
    let names: Vec<_> = (0..MODELS)
        .map(|n| format!("model-{n}"))
        .chain(["made-up".to_owned()])
        .collect();
    for some in names.chunks(25) {
        join_all(some.iter().map(|model| chat(server.user(), model))).await;
    }
    eventually("all answers to be counted", async || {
        let text = server.anonymous().get("/metrics").await.text();
        (counted(&text) == names.len()).then_some(text)
    })
    .await
}

async fn chat(user: Client, model: &str) {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(user.chat(&body).await.status, 200);
}

fn completions(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| line.starts_with("chat_completions_total{"))
}

fn counted(text: &str) -> usize {
    let counts = completions(text).map(|line| line.rsplit(' ').next().expect("a value"));
    counts.map(|count| count.parse::<usize>().expect("a count")).sum()
}

/// The values of a label of `chat_completions_total`.
fn values(text: &str, label: &str) -> BTreeSet<String> {
    let values =
        completions(text).filter_map(|line| line.split(&format!("{label}=\"")).nth(1)?.split('"').next());
    values.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_models_past_their_limits_are_other() {
    let server = with_many_models("3").await;
    let text = chat_with_all(&server).await;
    assert_eq!(values(&text, "user").len(), 4, "three and the others");
    let models = values(&text, "model");
    assert_eq!(models.len(), 201, "200 and the others");
    assert!(
        models.contains("other") && !models.contains("made-up"),
        "{models:?}"
    );
    let mut series: HashMap<_, usize> = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().expect("a name");
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part));
        *series.entry(family.unwrap_or(name)).or_default() += 1;
    }
    for (family, count) in series {
        assert!(count <= 2000, "{family} has {count} series");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_user_is_named_where_none_shall_be() {
    let server = with_many_models("0").await;
    let text = chat_with_all(&server).await;
    assert!(!text.contains("user="), "{text}");
}
