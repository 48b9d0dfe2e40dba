//! What a failing model server makes of an answer.
//!
//! - [`refused`]: before the first byte, where a failure is an ordinary error answer
//! - [`retries`]: before the first byte, where another attempt succeeds
//! - [`broken`]: after the first byte, where it is an event in the stream
//! - [`framing`]: streams that look odd and are sound

mod broken;
mod framing;
mod refused;
mod retries;

use serde_json::{Value, json};

use crate::support::MODEL;

fn ask() -> Value {
    json!({"model": MODEL, "message": "Hi"})
}

fn ask_in(conversation: &str) -> Value {
    json!({"model": MODEL, "message": "Hi", "conversation_id": conversation})
}
