//! Writing a value of any length into a bounded space.

use std::fmt::{self, Write};

/// The most bytes of one value that a line shows, before escaping. What is cut ends in `…`.
pub const MAX_VALUE_BYTES: usize = 2048;

/// Stands where a value was cut.
const CUT: char = '…';

/// Lets [`MAX_VALUE_BYTES`] through, ends in a mark where more comes, and ignores the rest.
pub struct Bounded<W> {
    inner: W,
    left: usize,
    cut: bool,
}

impl<W: Write> Bounded<W> {
    pub const fn new(inner: W) -> Self {
        Self {
            inner,
            left: MAX_VALUE_BYTES,
            cut: false,
        }
    }
}

impl<W: Write> Write for Bounded<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.cut {
            return Ok(());
        }
        if text.len() <= self.left {
            self.left -= text.len();
            return self.inner.write_str(text);
        }
        self.cut = true;
        self.inner
            .write_str(&text[..text.floor_char_boundary(self.left)])?;
        self.inner.write_char(CUT)
    }
}
