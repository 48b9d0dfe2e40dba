//! The read side: an incremental parser over the bytes of a stream.

use std::mem;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

/// The largest event that is read, in bytes of all its lines and their ends.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event is larger than [`MAX_EVENT_BYTES`].
    #[error("an event is larger than {MAX_EVENT_BYTES} bytes")]
    TooLarge,
}

/// Finds the events in the bytes of a stream, wherever the reads cut them: in a line end, in a UTF-8 character,
/// in the byte order mark.
///
/// Invariant: how the bytes were cut never changes the events. What stands after the last blank line at the end
/// of the stream is no event, as the format has it, so a cut answer cannot pass for a whole one.
#[derive(Debug)]
pub struct SseParser {
    /// The lines of the event in progress and whatever follows them.
    buffer: BytesMut,
    /// Where the line in progress begins.
    line_start: usize,
    /// No line ends between `line_start` and here.
    scanned: usize,
    data: Data,
    /// A byte order mark may still come.
    at_start: bool,
    /// The last line ended with a CR at the end of a read: an LF that follows belongs to it.
    after_cr: bool,
    too_large: bool,
}

/// The data lines of the event in progress.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// One line, as its place in the buffer: it is handed out without a copy.
    Line(Range<usize>),
    /// Several, joined by LF.
    Lines(BytesMut),
}

impl Default for SseParser {
    fn default() -> Self {
        Self::new()
    }
}

impl SseParser {
    /// A parser at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            line_start: 0,
            scanned: 0,
            data: Data::None,
            at_start: true,
            after_cr: false,
            too_large: false,
        }
    }

    /// Adds what was read. Call [`Self::next_event`] until it gives `None` before adding more, so that no more
    /// than one event waits.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.too_large {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The data of the next event that is complete; `None` until more is read. The bytes need not be UTF-8.
    ///
    /// # Errors
    /// [`SseError::TooLarge`], from then on at every call.
    pub fn next_event(&mut self) -> Result<Option<Bytes>, SseError> {
        if !self.pass_byte_order_mark() {
            return Ok(None);
        }
        while let Some(line) = self.next_line()? {
            if !line.is_empty() {
                self.read_field(line);
            } else if let Some(event) = self.take_event() {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// False while it cannot be told yet whether the stream begins with a byte order mark.
    fn pass_byte_order_mark(&mut self) -> bool {
        if !self.at_start {
            return true;
        }
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.advance(BYTE_ORDER_MARK.len());
        } else if BYTE_ORDER_MARK.starts_with(&self.buffer) {
            return false;
        }
        self.at_start = false;
        true
    }

    /// The place of the next whole line, without its end.
    fn next_line(&mut self) -> Result<Option<Range<usize>>, SseError> {
        if self.too_large {
            return Err(SseError::TooLarge);
        }
        if !self.pass_line_feed() {
            return Ok(None);
        }
        let Some(found) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.scanned..]) else {
            self.scanned = self.buffer.len();
            self.check_size(self.scanned)?;
            return Ok(None);
        };
        let end = self.scanned + found;
        self.check_size(end)?;
        let line = self.line_start..end;
        self.line_start = end + 1;
        if self.buffer[end] == b'\r' {
            self.after_cr = true;
        }
        self.scanned = self.line_start;
        Ok(Some(line))
    }

    /// Skips the LF of a CRLF. False while it cannot be told yet whether one comes.
    fn pass_line_feed(&mut self) -> bool {
        if !self.after_cr {
            return true;
        }
        let Some(byte) = self.buffer.get(self.line_start) else {
            return false;
        };
        if *byte == b'\n' {
            self.line_start += 1;
            self.scanned = self.line_start;
        }
        self.after_cr = false;
        if matches!(self.data, Data::None) {
            self.discard_lines();
        }
        true
    }

    fn check_size(&mut self, event_bytes: usize) -> Result<(), SseError> {
        if event_bytes <= MAX_EVENT_BYTES {
            return Ok(());
        }
        *self = Self {
            at_start: false,
            too_large: true,
            ..Self::new()
        };
        Err(SseError::TooLarge)
    }

    /// Keeps the line if it is a data line. All else (comments, other fields) is skipped.
    fn read_field(&mut self, line: Range<usize>) {
        if let Some(value) = data_value(&self.buffer, line) {
            self.data = match mem::take(&mut self.data) {
                Data::None => Data::Line(value),
                Data::Line(first) => {
                    let mut joined = BytesMut::from(&self.buffer[first]);
                    append_line(&mut joined, &self.buffer[value]);
                    Data::Lines(joined)
                }
                Data::Lines(mut joined) => {
                    append_line(&mut joined, &self.buffer[value]);
                    Data::Lines(joined)
                }
            };
        } else if matches!(self.data, Data::None) {
            // So that endless comments without a blank line between them do not pile up.
            self.discard_lines();
        }
    }

    fn discard_lines(&mut self) {
        self.buffer.advance(self.line_start);
        self.line_start = 0;
        self.scanned = 0;
    }

    /// Ends the event in progress at a blank line. `None` if it had no data.
    fn take_event(&mut self) -> Option<Bytes> {
        let lines = self.buffer.split_to(self.line_start);
        self.line_start = 0;
        self.scanned = 0;
        match mem::take(&mut self.data) {
            Data::None => None,
            Data::Line(value) => Some(lines.freeze().slice(value)),
            Data::Lines(joined) => Some(joined.freeze()),
        }
    }
}

/// The place of a data line's value, after the colon and at most one space; `None` for any other line.
fn data_value(buffer: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    let rest = buffer[line.clone()].strip_prefix(b"data")?;
    let skipped = match rest {
        [] => 0,
        [b':', b' ', ..] => 2,
        [b':', ..] => 1,
        _ => return None,
    };
    Some(line.start + b"data".len() + skipped..line.end)
}

fn append_line(joined: &mut BytesMut, line: &[u8]) {
    joined.extend_from_slice(b"\n");
    joined.extend_from_slice(line);
}

#[cfg(test)]
mod tests;
