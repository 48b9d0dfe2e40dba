//! The built-in model of a development installation.

use serde_json::json;

use super::embed;
use crate::support::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_server_words_are_embedded() {
    let server = TestServer::with([("LITELLM_URL", ""), ("DEFAULT_USER_BUDGET", "0")]).await;
    let user = server.user();
    let body = json!({"model": "demo/embedding", "input": ["red apples", "RED apples", "blue"]});
    let answer = embed(&user, &body).await;
    assert_eq!(answer.status, 200, "it is free: {answer:?}");
    let answer = answer.json();
    let [same, alike, other] = [0, 1, 2].map(|at| &answer["data"][at]["embedding"]);
    assert_eq!(same.as_array().map(Vec::len), Some(256));
    assert!(same == alike && same != other, "{answer}");
    assert_eq!(answer["usage"]["total_tokens"], 5);
    assert_eq!(
        embed(&user, &body).await.json(),
        answer,
        "the same again and again"
    );

    let short = json!({"model": "demo/embedding", "input": "a", "dimensions": 8});
    let short = embed(&user, &short).await.json();
    assert_eq!(short["data"][0]["embedding"].as_array().map(Vec::len), Some(8));
    let long = json!({"model": "demo/embedding", "input": "a", "dimensions": 257});
    embed(&user, &long).await.error(400, "UPSTREAM_REJECTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_demo_model_does_one_thing() {
    let server = TestServer::with([("LITELLM_URL", "")]).await;
    let user = server.user();
    let asked = json!({"model": "demo/echo", "input": "a"});
    embed(&user, &asked).await.error(400, "VALIDATION_ERROR");
    let unknown = json!({"model": "text-embedding-3-small", "input": "a"});
    embed(&user, &unknown).await.error(404, "MODEL_NOT_FOUND");
    let chat = json!({"model": "demo/embedding", "message": "Hi"});
    let error = user.chat(&chat).await.error(422, "UPSTREAM_REJECTED");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("ask demo/echo")),
        "{error}"
    );
    let shown = user.get("/v1/models/demo/embedding").await.data(200);
    assert_eq!(
        (&shown["mode"], &shown["pricing"]["input_per_1m"]),
        (&json!("embedding"), &json!(0))
    );
}
