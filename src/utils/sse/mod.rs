//! Server-sent events, read and written as bytes.
//!
//! - [`SseParser`]: takes a stream's bytes as they arrive and gives the data of its events, by the rules of the
//!   WHATWG's event-stream format
//! - [`write_frame`], [`write_comment`]: append what goes out to a buffer
//!
//! It knows nothing of what the data means. Event names, ids and reconnection times are skipped: no upstream of
//! ours gives them a meaning.

mod parser;
mod writer;

pub use parser::{MAX_EVENT_BYTES, SseError, SseParser};
pub use writer::{write_comment, write_frame};
