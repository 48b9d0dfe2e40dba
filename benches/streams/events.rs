//! A stream as it comes: its events, each with its id.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use memchr::memmem;

use crate::Failure;

/// What stands between two events.
const END: &[u8] = b"\n\n";

/// One event. The server writes each as one `id:` line and one `data:` line.
#[derive(Debug)]
pub struct Event {
    pub id: u64,
    pub data: Bytes,
}

/// An open stream. Dropping it closes its connection.
pub struct EventStream {
    /// What it is asked for by, to resume or to cancel it.
    pub id: String,
    body: Incoming,
    buffer: BytesMut,
}

impl EventStream {
    pub fn new(id: String, body: Incoming) -> Self {
        Self {
            id,
            body,
            buffer: BytesMut::new(),
        }
    }

    /// The next event, or `None` at the end of the body.
    ///
    /// # Errors
    /// The connection broke, or what came is no event.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, END) {
                let block = self.buffer.split_to(end + END.len()).freeze();
                match parse(&block)? {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            match self.body.frame().await {
                Some(frame) => {
                    let data = frame?.into_data();
                    self.buffer.extend_from_slice(&data.unwrap_or_default());
                }
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err("half an event at the end".into()),
            }
        }
    }
}

/// `None` for a comment.
fn parse(block: &Bytes) -> Result<Option<Event>, Failure> {
    let text = std::str::from_utf8(block)?;
    if text.starts_with(':') {
        return Ok(None);
    }
    let lines = text.trim_end().split_once('\n');
    let parts = lines.and_then(|(id, data)| Some((id.strip_prefix("id: ")?, data.strip_prefix("data: ")?)));
    let (id, data) = parts.ok_or_else(|| format!("not an event: {text}"))?;
    Ok(Some(Event {
        id: id.parse()?,
        data: block.slice_ref(data.as_bytes()),
    }))
}
