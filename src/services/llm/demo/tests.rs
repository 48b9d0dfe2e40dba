use super::text::MAX_ECHO;
use super::*;
use crate::models::ids::UserId;
use crate::services::llm::chunk::is_usage_only;

fn call(model: &str, content: &Value) -> ModelCall {
    let body = json!({"messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": content},
        {"role": "assistant", "content": "x"},
    ]});
    ModelCall {
        request_id: "r".into(),
        user: UserId(uuid::Uuid::nil()),
        model: model.into(),
        body: serde_json::from_str(&body.to_string()).expect("an object"),
        traceparent: None,
        attempts: crate::services::llm::AttemptLog::default(),
    }
}

fn model() -> DemoModel {
    DemoModel::new(Clock::system())
}

#[tokio::test]
async fn streams_as_a_model_does() {
    let said = json!("ü 🙂");
    let stream = model().stream(&call(DEMO_MODEL, &said)).await.expect("a stream");
    let events: Vec<_> = stream
        .events
        .map(|event| event.expect("no error"))
        .collect()
        .await;
    let [chunks @ .., ModelEvent::Done] = events.as_slice() else {
        panic!("no [DONE] at the end");
    };
    let chunks: Vec<_> = chunks
        .iter()
        .map(|event| match event {
            ModelEvent::Chunk(json) => Chunk::parse(json).expect("a chunk"),
            ModelEvent::Done => panic!("[DONE] in between"),
        })
        .collect();
    assert_eq!(chunks[0].choices[0].delta.role.as_deref(), Some("assistant"));
    let text: String = chunks
        .iter()
        .flat_map(|chunk| &chunk.choices)
        .filter_map(|choice| choice.delta.content.as_deref())
        .collect();
    assert!(
        text.starts_with("I am `demo/echo`") && text.ends_with("You said:\n\nü 🙂"),
        "{text}"
    );
    let [.., end, usage] = chunks.as_slice() else {
        panic!("too few chunks");
    };
    assert_eq!(end.choices[0].finish_reason.as_deref(), Some("stop"));
    assert!(is_usage_only(usage));
    assert_eq!(stream.header_cost, Some(Money::ZERO), "it is free, and says so");
}

#[tokio::test]
async fn completes_content_parts_and_bounds_what_it_repeats() {
    let parts = json!([{"type": "text", "text": "x".repeat(50_000)}, {"type": "image_url"}]);
    let completion = model()
        .complete(&call(DEMO_MODEL, &parts))
        .await
        .expect("an answer");
    let body: Value = serde_json::from_slice(&completion.body).expect("json");
    let text = body["choices"][0]["message"]["content"].as_str().expect("text");
    assert!(text.len() < MAX_ECHO + 300 && text.ends_with("(and more)"));
    let usage = completion.usage.expect("usage");
    assert!(usage.prompt_tokens > Some(4_000) && usage.completion_tokens < Some(300));
}

#[tokio::test]
async fn knows_no_other_model() {
    assert!(model().surely_lacks("gpt-4o") && !model().surely_lacks(DEMO_MODEL));
    let error = model()
        .complete(&call("gpt-4o", &json!("hi")))
        .await
        .expect_err("no such model");
    assert_eq!(error.kind(), ModelErrorKind::ModelNotFound);
}

#[tokio::test]
async fn each_does_what_it_is_for() {
    assert!(model().may_embed(DEMO_EMBEDDING) && !model().may_embed(DEMO_MODEL));
    let refused = |error: ModelError| error.kind() == ModelErrorKind::Rejected;
    let chat = model().complete(&call(DEMO_EMBEDDING, &json!("hi"))).await;
    assert!(chat.is_err_and(refused));
    let embedding = model().embed(&call(DEMO_MODEL, &json!("hi"))).await;
    assert!(embedding.is_err_and(refused));
}
