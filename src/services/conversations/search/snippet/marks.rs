//! Where a text matches a query, by the rules by which its index text does.

use std::ops::{ControlFlow, Range};

use super::super::query::{Part, SearchQuery};
use super::super::tokens::{Token, each_token};

/// Bytes that are still looked at once every part of the query was found: what a snippet can hold.
const LOOKAHEAD_BYTES: usize = 4 * super::MAX_CHARS;

/// A place that matches a part of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Bytes of the text; whole words.
    pub place: Range<usize>,
    /// The part of the query, as a bit.
    pub part: u32,
}

/// The places of a text that match, by their beginning: all of them up to a snippet's length after the first
/// place by which every part was found.
pub(super) fn find(text: &str, query: &SearchQuery) -> Vec<Mark> {
    let mut finder = Finder::new(query);
    each_token(text, |token| finder.take(token));
    finder.marks.sort_by_key(|mark| mark.place.start);
    finder.marks
}

/// The places of marks that were found, as one where they overlap.
pub(super) fn merged(marks: Vec<Mark>) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = Vec::new();
    for Mark { place, .. } in marks {
        match places.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => places.push(place),
        }
    }
    places
}

struct Finder<'a> {
    parts: &'a [Part],
    /// The index text so far, with a space before each token.
    index: String,
    /// Where each of its tokens stands in the text.
    places: Vec<Range<usize>>,
    marks: Vec<Mark>,
    missing: u32,
    end: usize,
}

impl<'a> Finder<'a> {
    fn new(query: &'a SearchQuery) -> Self {
        Self {
            parts: query.parts(),
            index: String::new(),
            places: Vec::new(),
            marks: Vec::new(),
            missing: (1 << query.parts().len()) - 1,
            end: usize::MAX,
        }
    }

    fn take(&mut self, token: &Token<'_>) -> ControlFlow<()> {
        if self.parts.is_empty() || token.source.start > self.end {
            return ControlFlow::Break(());
        }
        self.index.push(' ');
        self.index.push_str(token.text);
        self.places.push(token.source.clone());
        for (number, part) in self.parts.iter().enumerate() {
            if let Some(first) = self.first_of(part, token) {
                let place = self.places[first].start..token.source.end;
                let bit = 1 << number;
                self.marks.push(Mark { place, part: bit });
                self.missing &= !bit;
            }
        }
        if self.missing == 0 && self.end == usize::MAX {
            self.end = token.source.end + LOOKAHEAD_BYTES;
        }
        ControlFlow::Continue(())
    }

    /// The number of the first token of a match of this part that ends with the last token.
    fn first_of(&self, part: &Part, last: &Token<'_>) -> Option<usize> {
        let length = match part {
            Part::Prefix(word) => last.text.starts_with(word.as_str()).then_some(1),
            Part::Tokens(tokens) => self
                .index
                .strip_suffix(tokens.as_str())
                .is_some_and(|before| before.ends_with(' '))
                .then(|| tokens.split(' ').count()),
        };
        Some(self.places.len() - length?)
    }
}
