//! Handlers, one file per domain. Each is a sentence: extract, call one service, answer.

pub mod docs;
pub mod health;
