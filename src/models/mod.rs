//! Wire types, one file per domain. They are never database rows.

pub mod common;
pub mod health;
pub mod ids;
pub mod money;
