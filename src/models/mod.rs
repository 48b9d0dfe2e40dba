//! Wire types, one file per domain. They are never database rows.

pub mod analytics;
pub mod api_key;
pub mod balance;
pub mod branch;
pub mod chat;
pub mod common;
pub mod conversation;
pub mod embedding;
pub mod health;
pub mod ids;
pub mod message;
pub mod model;
pub mod money;
pub mod price;
pub mod privacy;
pub mod scope;
pub mod user;
