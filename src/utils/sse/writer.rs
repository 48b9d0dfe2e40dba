//! The write side: frames and comments, appended to a buffer.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

/// Appends one event with its id. Each line of the payload becomes a `data:` line, which the reader joins again
/// with `\n`; one JSON text is one line.
pub fn write_frame(out: &mut BytesMut, id: u64, payload: &[u8]) {
    // `id: `, up to 20 digits, `data: ` and three line ends.
    out.reserve(payload.len() + 33);
    // Writing to a buffer that grows cannot fail.
    let _ = writeln!(out, "id: {id}");
    for line in Lines(Some(payload)) {
        write_line(out, b"data: ", line);
    }
    out.put_u8(b'\n');
}

/// Appends a comment, which readers skip: it only shows that the connection lives.
pub fn write_comment(out: &mut BytesMut, text: &str) {
    for line in Lines(Some(text.as_bytes())) {
        write_line(out, b": ", line);
    }
    out.put_u8(b'\n');
}

fn write_line(out: &mut BytesMut, prefix: &[u8], line: &[u8]) {
    out.put_slice(prefix);
    out.put_slice(line);
    out.put_u8(b'\n');
}

/// The lines of a text that may end in LF, CR or CRLF: any of them would end the line for a reader too.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.take()?;
        let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
            return Some(rest);
        };
        let terminator = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        self.0 = Some(&rest[end + terminator..]);
        Some(&rest[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: u64, payload: &str) -> String {
        let mut out = BytesMut::new();
        write_frame(&mut out, id, payload.as_bytes());
        String::from_utf8(out.to_vec()).expect("text")
    }

    #[test]
    fn writes_one_data_line_per_line() {
        assert_eq!(frame(7, r#"{"a":1}"#), "id: 7\ndata: {\"a\":1}\n\n");
        assert_eq!(frame(0, ""), "id: 0\ndata: \n\n");
        assert_eq!(
            frame(1, "a\r\nb\rc\nd"),
            "id: 1\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
        );
    }

    #[test]
    fn a_comment_cannot_smuggle_an_event() {
        let mut out = BytesMut::new();
        write_comment(&mut out, "keep-alive");
        assert_eq!(&out[..], b": keep-alive\n\n");
        out.clear();
        write_comment(&mut out, "a\n\ndata: x");
        assert_eq!(&out[..], b": a\n: \n: data: x\n\n");
    }
}
