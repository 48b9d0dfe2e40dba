//! The built-in model of a development installation.

use serde_json::json;

use crate::support::TestServer;

/// A server without any model server behind it.
async fn start() -> TestServer {
    TestServer::with([("LITELLM_URL", "")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_server_the_demo_answers() {
    let server = start().await;
    let user = server.user();
    let transcript = user
        .chat_stream(&json!({"message": "Good morning"}))
        .await
        .finish()
        .await;
    assert!(
        transcript.text().contains("Good morning"),
        "it echoes: {transcript:?}"
    );
    assert!(transcript.middle().len() > 2, "it streams: {transcript:?}");
    let answer = &user.messages(&transcript.conversation()).await[1];
    assert_eq!(
        (&answer["model"], &answer["content"]),
        (&json!("demo/echo"), &json!(transcript.text()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_answers_openais_clients_too() {
    let server = start().await;
    let messages = json!([{"role": "user", "content": "Good morning"}]);
    let body = json!({"model": "demo/echo", "messages": messages});
    let answer = server.user().chat(&body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["choices"][0]["message"]["content"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_other_model() {
    let server = start().await;
    let answer = server
        .user()
        .chat(&json!({"model": "gpt-4o", "message": "Hi"}))
        .await;
    answer.error(404, "MODEL_NOT_FOUND");
    assert_eq!(server.user().get("/v1/conversations").await.status, 200);
}
