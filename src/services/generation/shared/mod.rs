//! The logs of running answers in Redis, so that every instance can replay them.
//!
//! - [`SharedLogs`]: appends to them, reads them and ends them; each is a Redis Stream whose entries have the ids of their
//!   events
//! - `writer`: copies what the logs in this process gained
//! - `requests`: what instances ask of whoever writes a log
//!
//! A log in Redis has no gaps and begins at the first event, or is not there. Readers are woken by what is published, and
//! look for themselves every second.

mod logs;
mod requests;
mod writer;

use std::sync::Arc;

pub use logs::{Append, LogName, LogPage, Newest, SharedLogs};
pub use requests::Request;
pub(super) use requests::asked;
pub(super) use writer::{MIN_RETENTION, run};

use super::replay::CopyQueue;

/// The logs in Redis, and which logs of this process have something for them.
#[derive(Debug)]
pub(super) struct Sharing {
    pub(super) logs: SharedLogs,
    pub(super) queue: Arc<CopyQueue>,
}
