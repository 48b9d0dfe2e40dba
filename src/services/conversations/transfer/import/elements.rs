//! Cuts a file into the texts of its conversations, without parsing them.
//!
//! Only brackets, quotes and commas are looked at, so that a conversation which is too large can be passed over
//! in constant memory. It takes the syntax to be right; where it is not, the parser of the element says so.

use std::io::{self, BufRead, BufReader, Read};

use super::ImportError;
use super::limits::MAX_CONVERSATION_BYTES;
use super::nesting::Nesting;

/// How much of a file is read at once.
pub(super) const BUFFER_BYTES: usize = 64 * 1024;

/// One element of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// Its text.
    Json(Vec<u8>),
    /// It has more than [`MAX_CONVERSATION_BYTES`] and was passed over.
    TooLarge,
}

/// What the file is at its top level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Array,
    Object,
    /// All of it was handed out.
    End,
}

/// The conversations of a file: the elements of its array, or the file as a whole.
pub(super) struct Elements<R> {
    reader: BufReader<R>,
    shape: Shape,
}

impl<R: Read> Elements<R> {
    /// # Errors
    /// If the file begins with neither an array nor an object, or cannot be read.
    pub(super) fn new(reader: R) -> Result<Self, ImportError> {
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
        skip_byte_order_mark(&mut reader)?;
        let shape = match skip_to_value(&mut reader)? {
            Some(b'[') => {
                reader.consume(1);
                Shape::Array
            }
            Some(b'{') => Shape::Object,
            _ => return Err(ImportError::NotConversations),
        };
        Ok(Self { reader, shape })
    }

    /// The next one, or `None` after the last.
    ///
    /// # Errors
    /// If the file cannot be read, or its array is never closed.
    pub(super) fn next(&mut self) -> io::Result<Option<Element>> {
        let shape = self.shape;
        if shape == Shape::End {
            return Ok(None);
        }
        let mut nesting = Nesting::default();
        let mut collected = Collected::default();
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                self.shape = Shape::End;
                return match shape {
                    Shape::Array => Err(io::ErrorKind::UnexpectedEof.into()),
                    _ => Ok(Some(collected.into_element())),
                };
            }
            let end = match shape {
                Shape::Array => nesting.find_end(chunk),
                _ => None,
            };
            let Some(end) = end else {
                let length = chunk.len();
                collected.push(chunk);
                self.reader.consume(length);
                continue;
            };
            let last = chunk[end] == b']';
            collected.push(&chunk[..end]);
            self.reader.consume(end + 1);
            if last {
                self.shape = Shape::End;
            }
            // An empty array has a last element that is nothing.
            return Ok((!last || !collected.is_blank()).then(|| collected.into_element()));
        }
    }
}

/// The text of an element, as long as it is not too large.
#[derive(Default)]
struct Collected {
    json: Vec<u8>,
    too_large: bool,
}

impl Collected {
    fn push(&mut self, bytes: &[u8]) {
        if self.too_large || self.json.len() + bytes.len() > MAX_CONVERSATION_BYTES {
            self.too_large = true;
            self.json = Vec::new();
        } else {
            self.json.extend_from_slice(bytes);
        }
    }

    fn is_blank(&self) -> bool {
        !self.too_large && self.json.trim_ascii().is_empty()
    }

    fn into_element(self) -> Element {
        if self.too_large {
            Element::TooLarge
        } else {
            Element::Json(self.json)
        }
    }
}

/// Skips what editors on Windows put before a text.
pub(super) fn skip_byte_order_mark<R: BufRead>(reader: &mut R) -> io::Result<()> {
    let mark = b"\xEF\xBB\xBF";
    if reader.fill_buf()?.starts_with(mark) {
        reader.consume(mark.len());
    }
    Ok(())
}

/// Skips white space, and tells the byte that comes next without taking it.
fn skip_to_value<R: BufRead>(reader: &mut R) -> io::Result<Option<u8>> {
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(None);
        }
        let blank = chunk.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let first = chunk.get(blank).copied();
        reader.consume(blank);
        if first.is_some() {
            return Ok(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a byte at a time, so that every state is carried over the end of a chunk.
    struct Dripping<'a>(&'a [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    fn cut(file: &str) -> Vec<String> {
        let mut elements = Elements::new(Dripping(file.as_bytes())).expect("conversations");
        let mut texts = Vec::new();
        while let Some(Element::Json(json)) = elements.next().expect("readable") {
            texts.push(String::from_utf8(json).expect("text").trim().to_owned());
        }
        texts
    }

    #[test]
    fn cuts_at_the_commas_of_the_array_only() {
        assert_eq!(
            cut(r#" [{"a":[1,2]}, "x\\\"],", 3 ]"#),
            [r#"{"a":[1,2]}"#, r#""x\\\"],""#, "3"]
        );
        assert_eq!(cut("\n{\"a\":1}\n"), ["{\"a\":1}"]);
        assert_eq!(cut("[ ]"), [""; 0]);
    }

    #[test]
    fn skips_a_byte_order_mark() {
        let mut elements = Elements::new("\u{FEFF} [1]".as_bytes()).expect("an array");
        assert_eq!(
            elements.next().expect("readable"),
            Some(Element::Json(b"1".to_vec()))
        );
    }

    #[test]
    fn tells_an_array_that_is_never_closed() {
        let mut elements = Elements::new("[{}, {}".as_bytes()).expect("an array");
        assert_eq!(
            elements.next().expect("readable"),
            Some(Element::Json(b"{}".to_vec()))
        );
        assert_eq!(
            elements.next().expect_err("the end is missing").kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert!(Elements::new("17".as_bytes()).is_err());
        assert!(Elements::new("".as_bytes()).is_err());
    }

    #[test]
    fn passes_over_what_is_too_large() {
        let before: &[u8] = b"[1,\"";
        let large = io::repeat(b'x').take(MAX_CONVERSATION_BYTES as u64 + 1);
        let file = before.chain(large).chain(&b"\",2]"[..]);
        let mut elements = Elements::new(file).expect("an array");
        let mut next = || elements.next().expect("readable");
        assert_eq!(next(), Some(Element::Json(b"1".to_vec())));
        assert_eq!(next(), Some(Element::TooLarge));
        assert_eq!(next(), Some(Element::Json(b"2".to_vec())));
        assert_eq!(next(), None);
    }
}
