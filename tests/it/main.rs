//! Tests through the real server: its HTTP interface on a free port, a scripted model server behind it.
//!
//! One module per resource. What they share, and how to write one, is in [`support`].
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, helpers included"
)]

mod api_keys;
mod auth;
mod balance;
mod branches;
mod cache;
mod chat_conversation;
mod chat_faults;
mod chat_openai;
mod cli;
mod concurrency;
mod conversations;
mod database_locked;
mod dead_letters;
mod demo;
mod embeddings;
mod errors;
mod export;
mod faults;
mod headers;
mod idempotency;
mod import;
mod instances;
mod label_limits;
mod ledger;
mod limits;
mod litellm_e2e;
mod merge;
mod messages;
mod models;
mod openai_sdk;
mod openapi;
mod operations;
mod privacy;
mod rate_limits;
mod recovery;
mod redis;
mod regenerate;
mod replay_memory;
mod search;
mod store;
mod strangers;
mod streams;
mod support;
mod tool_calls;
mod users;
mod while_answering;
