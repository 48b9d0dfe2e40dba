//! The JSON of stream chunks and completions, in LiteLLM's shapes.

use serde_json::{Value, json};

fn chunk(choices: &Value) -> Value {
    json!({
        "id": "chatcmpl-1",
        "created": 1_795_404_924,
        "model": "upstream-model",
        "object": "chat.completion.chunk",
        "choices": choices,
    })
}

fn delta(delta: &Value) -> String {
    chunk(&json!([{"index": 0, "delta": delta}])).to_string()
}

/// Who speaks: what real servers begin with, and OpenAI's SDK for Node.js insists on.
pub fn role() -> String {
    delta(&json!({"role": "assistant"}))
}

/// A piece of the answer's text.
pub fn text(text: &str) -> String {
    delta(&json!({"content": text}))
}

/// A piece of the model's thinking.
pub fn reasoning(text: &str) -> String {
    delta(&json!({"reasoning_content": text}))
}

/// A piece of a tool call.
pub fn tool_call(id: Option<&str>, arguments: &str) -> String {
    let mut call = json!({"index": 0, "function": {"arguments": arguments}});
    if let Some(id) = id {
        call["id"] = json!(id);
        call["type"] = json!("function");
        call["function"]["name"] = json!("weather");
    }
    delta(&json!({"tool_calls": [call]}))
}

/// The end of the answer.
pub fn finish(reason: &str) -> String {
    chunk(&json!([{"index": 0, "delta": {}, "finish_reason": reason}])).to_string()
}

/// The usage, in the shape of newer versions.
pub fn usage(prompt: u64, completion: u64) -> String {
    with_usage(&json!([]), prompt, completion).to_string()
}

/// The usage, in the shape of older versions, with what they say it cost.
pub fn usage_with_choice(prompt: u64, completion: u64, cost: f64) -> String {
    let mut chunk = with_usage(&json!([{"index": 0, "delta": {}}]), prompt, completion);
    chunk["usage"]["cost"] = json!(cost);
    chunk.to_string()
}

fn with_usage(choices: &Value, prompt: u64, completion: u64) -> Value {
    let mut chunk = chunk(choices);
    chunk["usage"] = json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    });
    chunk
}

/// An error in the middle of a stream.
pub fn error(message: &str) -> String {
    json!({"error": {"message": message, "type": null, "param": null, "code": "500"}}).to_string()
}

/// A whole answer, not streamed. Its spacing and its `1.0` are odd so that rewriting would show.
pub fn completion(text: &str) -> String {
    let text = Value::from(text);
    format!(
        r#"{{"id":"chatcmpl-1", "object":"chat.completion","created":1795404925,"model":"upstream-model","score":1.0,"choices":[{{"finish_reason":"stop","index":0,"message":{{"content":{text},"role":"assistant"}}}}],"usage":{{"completion_tokens":3,"prompt_tokens":5,"total_tokens":8}}}}"#
    )
}

/// A whole answer that calls a tool.
pub fn completion_with_tool_call(arguments: &str) -> String {
    let call =
        json!({"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": arguments}});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let choices = json!([{"index": 0, "finish_reason": "tool_calls", "message": message}]);
    let mut completion = with_usage(&choices, 5, 3);
    completion["object"] = json!("chat.completion");
    completion.to_string()
}
