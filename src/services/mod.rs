//! What the service does, free of HTTP: routers call these, and these call nothing above them.

pub mod analytics;
pub mod api_keys;
pub mod auth;
pub mod billing;
pub mod cache;
pub mod catalog;
pub mod chat;
pub mod conversations;
pub mod embeddings;
pub mod gauges;
pub mod generation;
pub mod health;
pub mod instance;
pub mod lifecycle;
pub mod llm;
pub mod outbox;
pub mod privacy;
pub mod rate_limit;
pub mod redis;
pub mod sql;
pub mod users;
