//! What the service does, free of HTTP: routers call these, and these call nothing above them.

pub mod auth;
pub mod health;
pub mod lifecycle;
