//! Conversation chat: what the client is streamed, what the model is sent, what is stored.
//!
//! - [`streaming`]: the events, in order and unchanged
//! - [`stored`]: what remains
//! - [`context`]: what the model is sent
//! - [`refusals`]: what is not accepted

mod context;
mod refusals;
mod stored;
mod streaming;

use serde_json::{Value, json};

use crate::support::{Client, MODEL, Transcript};

/// A request for an answer, as short as it can be.
fn ask(message: &str) -> Value {
    json!({"model": MODEL, "message": message})
}

/// A request in an existing conversation.
fn ask_in(conversation: &str, message: &str) -> Value {
    json!({"model": MODEL, "message": message, "conversation_id": conversation})
}

/// Chats and reads the stream to its end.
async fn chat(user: &Client, body: &Value) -> Transcript {
    user.chat_stream(body).await.finish().await
}
