//! What is refused before a model is asked, and leaves nothing behind.

use serde_json::{Value, json};

use super::{ROUTE, balance, embed, request, server};
use crate::support::client::field_errors;
use crate::support::{Gate, MODEL, Reply, Store, TestServer, eventually, on_each_store};

on_each_store!(
    who_has_too_little_left_is_refused,
    a_model_without_a_price_is_refused_to_who_has_a_budget,
    a_suspended_user_is_refused,
);

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_400_and_names_its_field() {
    let server = TestServer::start().await;
    let user = server.user();
    let with = |name: &str, value: Value| {
        let mut body = request();
        body[name] = value;
        body
    };
    for (body, field) in [
        (json!({"model": MODEL}), "input"),
        (json!({"input": "a"}), "model"),
        (with("input", json!(null)), "input"),
        (with("input", json!("")), "input"),
        (with("input", json!([])), "input"),
        (with("input", json!(["a", "", "b"])), "input[1]"),
        (with("input", json!([[1], []])), "input[1]"),
        (with("input", json!(["a", 1])), "input"),
        (with("input", json!(["a", [1]])), "input"),
        (with("input", json!([1, "a"])), "input"),
        (with("input", json!([-1])), "input[0]"),
        (with("input", json!([1.5])), "input[0]"),
        (with("input", json!([[1, "a"]])), "input[0][1]"),
        (with("input", json!({"text": "a"})), "input"),
        (with("input", json!(true)), "input"),
        (with("input", json!(vec!["a"; 2_049])), "input"),
        (with("input", json!("a\u{0}b")), "body"),
        (with("model", json!(null)), "model"),
        (with("model", json!("")), "model"),
        (with("model", json!("a\nb")), "model"),
        (with("model", json!("m".repeat(101))), "model"),
        (with("encoding_format", json!("int8")), "encoding_format"),
        (with("dimensions", json!(0)), "dimensions"),
        (with("dimensions", json!(-1)), "dimensions"),
        (with("dimensions", json!("many")), "dimensions"),
    ] {
        let answer = embed(&user, &body).await;
        let error = answer.error(400, "VALIDATION_ERROR");
        assert_eq!(field_errors(&error), [field], "{error}");
    }
    let broken = user.post_raw(ROUTE, "{\"input\":").await;
    broken.error(400, "MALFORMED_JSON");
    assert_eq!(server.upstream.embeddings().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_default_model() {
    let server = TestServer::with([("DEFAULT_MODEL", MODEL)]).await;
    let answer = embed(&server.user(), &json!({"input": "a"})).await;
    answer.error(400, "VALIDATION_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_and_another_type_are_refused() {
    let server = TestServer::with([("MAX_BODY_BYTES", "2048")]).await;
    let user = server.user();
    let long = json!({"model": MODEL, "input": "a".repeat(3_000)});
    embed(&user, &long).await.error(413, "PAYLOAD_TOO_LARGE");
    let text = user.request(reqwest::Method::POST, ROUTE).body("{}");
    crate::support::Answer::to(text)
        .await
        .error(415, "UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_without_embeddings_are_known() {
    let server = TestServer::with([("ANTHROPIC_API_KEY", "sk-1"), ("GROQ_API_KEY", "sk-2")]).await;
    for model in ["anthropic/claude-opus-4", "groq/llama"] {
        let answer = embed(&server.user(), &json!({"model": model, "input": "a"})).await;
        let error = answer.error(400, "VALIDATION_ERROR");
        assert_eq!(field_errors(&error), ["model"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_take_one_of_the_users_places() {
    let server = TestServer::with([("MAX_CONCURRENT_STREAMS_PER_USER", "1")]).await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::held(&gate, Reply::embeddings(&request(), 5))]);
    let body = request();
    let (first, ()) = tokio::join!(embed(&user, &body), async {
        server.upstream.wait_for_embeddings(1).await;
        let refused = embed(&user, &body).await.error(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!(refused["details"]["limit"], 1);
        gate.open_for_all();
        assert_eq!(embed(&server.user(), &body).await.status, 200, "others go on");
    });
    assert_eq!(first.status, 200);
    assert_eq!(embed(&user, &body).await.status, 200, "the place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_refuses_new_ones_and_finishes_the_running_one() {
    let server = TestServer::start().await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::held(&gate, Reply::embeddings(&request(), 5))]);
    let body = request();
    let (running, ()) = tokio::join!(embed(&user, &body), async {
        server.upstream.wait_for_embeddings(1).await;
        server.drain();
        embed(&user, &body).await.error(503, "DRAINING");
        gate.open_for_all();
    });
    assert_eq!(running.status, 200);
}

async fn who_has_too_little_left_is_refused(store: Store) {
    let server = server(store, "0.000005").await;
    let user = server.user();
    let error = embed(&user, &request()).await.error(402, "INSUFFICIENT_BALANCE");
    assert_eq!(error["type"], "insufficient_quota");
    assert_eq!(error["details"]["required"], 0.000_012, "ten bytes and two more");
    let ids = json!({"model": MODEL, "input": [1, 2, 3]});
    assert_eq!(
        embed(&user, &ids).await.status,
        200,
        "3 tokens and two more are covered"
    );
    assert_eq!(server.upstream.embeddings().len(), 1);
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(
        metrics.contains(r#"balance_rejections_total{reason="insufficient"} 1"#),
        "{metrics}"
    );
}

async fn a_model_without_a_price_is_refused_to_who_has_a_budget(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let unheard = json!({"model": "unheard-of", "input": "a"});
    let error = embed(&user, &unheard).await.error(402, "UNPRICED_MODEL");
    assert_eq!(error["param"], "model");
    assert_eq!(server.upstream.embeddings().len(), 0);
    let balance = balance(&user).await;
    assert_eq!((&balance["reserved"], &balance["spend"]), (&json!(0), &json!(0)));
    assert!(server.ledger().await.entries().await.is_empty());
}

async fn a_suspended_user_is_refused(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    assert_eq!(embed(&user, &request()).await.status, 200);
    let suspend = "UPDATE accounts SET suspended = 1";
    let suspend_there = "UPDATE accounts SET suspended = true";
    server.ledger().await.execute(suspend, suspend_there).await;
    eventually("the suspension to be heeded", async || {
        let answer = embed(&user, &request()).await;
        (answer.status == 403).then(|| answer.error(403, "ACCOUNT_SUSPENDED"))
    })
    .await;
}
