//! What the demo model says, and how it is cut into tokens.

use std::fmt::Write as _;

use serde_json::Value;

use super::DEMO_MODEL;

/// As much of a message as is repeated, in characters.
pub(super) const MAX_ECHO: usize = 2_000;

/// A word longer than this is sent in pieces, as a model would.
const MAX_TOKEN: usize = 12;

/// The text of a message, be its content a string or parts.
pub(super) fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<_> = parts
                .iter()
                .map(|part| match (part["text"].as_str(), part["type"].as_str()) {
                    (Some(text), _) => text.to_owned(),
                    (None, kind) => format!("[{}]", kind.unwrap_or("part")),
                })
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// What is answered to this.
pub(super) fn echo(said: &str) -> String {
    let mut answer = format!(
        "I am `{DEMO_MODEL}`, the built-in model for development: I am no language model and only repeat what I am \
         told. Set LITELLM_URL to talk to a real one."
    );
    let said = said.trim();
    if said.is_empty() {
        answer.push_str(" You said nothing.");
        return answer;
    }
    let repeated: String = said.chars().take(MAX_ECHO).collect();
    let more = if repeated.len() < said.len() {
        " … (and more)"
    } else {
        ""
    };
    // Writing to a string cannot fail.
    let _ = write!(answer, " You said:\n\n{repeated}{more}");
    answer
}

/// Words with the space after them, long ones in pieces.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let characters: Vec<char> = word.chars().collect();
        tokens.extend(characters.chunks(MAX_TOKEN).map(String::from_iter));
    }
    tokens
}
