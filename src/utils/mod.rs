//! What every layer may use and what knows of no service: errors, checks, SSE, metrics, logging, time.

pub mod breaker;
pub mod clock;
pub mod database;
pub mod errors;
pub mod file_lock;
pub mod json;
pub mod logging;
pub mod metrics;
pub mod patch;
pub mod sse;
pub mod validation;
