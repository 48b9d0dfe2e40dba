//! Through a real LiteLLM proxy. `scripts/test` starts it and says where it is.

use serde_json::json;

use super::embed;
use crate::litellm_e2e;

#[tokio::test(flavor = "multi_thread")]
async fn its_embeddings_are_passed_on_and_charged() {
    let server = litellm_e2e::start().await;
    let user = server.user();
    let answer = embed(&user, &json!({"model": "embedding-small", "input": "Hi"})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["data"][0]["embedding"], json!([0.5, -0.25, 0.125]));
    let [entry] = &server.ledger().await.entries().await[..] else {
        panic!("one entry")
    };
    assert_eq!(
        (entry.prompt_tokens, entry.completion_tokens, entry.estimated),
        (10, 0, false)
    );
    assert_eq!(entry.cost, Some(200), "ten tokens at 0.02 dollars a million");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_refusals_are_answered_by_their_meaning() {
    let server = litellm_e2e::start().await;
    let answer = embed(&server.user(), &json!({"model": "no-such-model", "input": "Hi"})).await;
    answer.error(404, "MODEL_NOT_FOUND");
}
