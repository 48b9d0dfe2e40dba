//! Follows brackets and quotes through a JSON text that comes in chunks.

use std::io::{self, Read};

/// Deepest nesting of a file: far beyond what any real one has, and nothing to a parser.
const MAX_FILE_DEPTH: usize = 10_000;

/// Where in the nesting of a JSON text we are.
#[derive(Default)]
pub(super) struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// The place of the first comma or closing bracket that belongs to the surrounding array. Goes on where the
    /// last chunk ended.
    pub(super) fn find_end(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < chunk.len() {
            if self.in_string {
                at = self.skip_string(chunk, at);
                continue;
            }
            match chunk[at] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b',' | b']' | b'}' if self.depth == 0 => return Some(at),
                b'}' | b']' => self.depth -= 1,
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// The place after the string that `at` is in, or the end of the chunk.
    fn skip_string(&mut self, chunk: &[u8], at: usize) -> usize {
        if self.escaped {
            self.escaped = false;
            return at + 1;
        }
        let Some(found) = memchr::memchr2(b'"', b'\\', &chunk[at..]) else {
            return chunk.len();
        };
        let place = at + found;
        if chunk[place] == b'"' {
            self.in_string = false;
        } else {
            self.escaped = true;
        }
        place + 1
    }
}

/// Passes a file on, and fails where it is nested deeper than a parser should have to remember.
pub(super) struct NestingGuard<R> {
    inner: R,
    nesting: Nesting,
}

impl<R> NestingGuard<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            nesting: Nesting::default(),
        }
    }
}

impl<R: Read> Read for NestingGuard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        let mut rest = &buffer[..length];
        // What is not nested at all is skipped: here the whole file is one value.
        while let Some(end) = self.nesting.find_end(rest) {
            rest = &rest[end + 1..];
        }
        if self.nesting.depth > MAX_FILE_DEPTH {
            return Err(io::Error::other("it is nested too deeply"));
        }
        Ok(length)
    }
}
