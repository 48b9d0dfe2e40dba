//! Handlers, one file per domain. Each is a sentence: extract, call one service, answer.

pub mod chat;
pub mod conversations;
pub mod docs;
mod event_stream;
pub mod health;
