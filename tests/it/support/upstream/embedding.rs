//! The JSON of embeddings, in OpenAI's shape.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// The numbers of every embedding; each has an exact decimal form.
pub const VECTOR: [f32; 3] = [0.5, -0.25, 0.125];

/// An embedding of each input, in the format that the request asks for, and the usage: so many tokens.
pub fn embeddings(request: &Value, tokens: u64) -> String {
    let count = match &request["input"] {
        Value::Array(list) if !list[0].is_number() => list.len(),
        _ => 1,
    };
    let vector = if request["encoding_format"] == "base64" {
        let bytes: Vec<u8> = VECTOR.iter().flat_map(|number| number.to_le_bytes()).collect();
        json!(BASE64_STANDARD.encode(bytes))
    } else {
        json!(VECTOR)
    };
    let one = |index| json!({"object": "embedding", "index": index, "embedding": vector});
    json!({
        "object": "list",
        "data": (0..count).map(one).collect::<Vec<_>>(),
        "model": "upstream-model",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
    .to_string()
}
