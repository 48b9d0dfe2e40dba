//! Tests through the real server: its HTTP interface on a free port, a scripted model server behind it.
//!
//! One module per resource. What they share, and how to write one, is in [`support`].
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, helpers included"
)]

mod auth;
mod chat_conversation;
mod chat_faults;
mod chat_openai;
mod cli;
mod conversations;
mod demo;
mod errors;
mod headers;
mod litellm_e2e;
mod operations;
mod recovery;
mod streams;
mod support;
