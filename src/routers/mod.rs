//! Handlers, one file or folder per domain. Each is a sentence: extract, call one service, answer.

pub mod access;
pub mod analytics;
pub mod api_keys;
pub mod balance;
pub mod branches;
pub mod chat;
pub mod conversations;
mod created;
pub mod docs;
pub mod embeddings;
mod event_stream;
pub mod health;
pub mod messages;
mod model_answer;
pub mod models;
mod path_query;
pub mod privacy;
pub mod users;
