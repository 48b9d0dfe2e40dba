//! Which part of a text a snippet shows.

use std::ops::Range;

use icu_properties::CodePointMapData;
use icu_properties::props::GraphemeClusterBreak;

use super::MAX_CHARS;
use super::marks::Mark;

/// Characters shown before the first mark, at most, unless the text ends soon after it.
const LEAD_CHARS: usize = 60;

/// Characters within which parts of a query count as close together: so many that all of them are shown.
const FOCUS_CHARS: usize = MAX_CHARS - LEAD_CHARS;

/// The part of a text to show, in bytes: around the densest of the marks (which are in order), or its beginning.
pub(super) fn choose(text: &str, marks: &[Mark]) -> Range<usize> {
    let focus = densest(text, marks);
    let start = start_before(text, focus.start);
    start..end_after(text, start, focus.end)
}

/// The first place with the most parts of the query; where the text begins if there is none.
fn densest(text: &str, marks: &[Mark]) -> Range<usize> {
    let mut best = (0, 0..0);
    let mut first = 0;
    for (last, mark) in marks.iter().enumerate() {
        while first < last && is_longer(&text[marks[first].place.start..mark.place.end], FOCUS_CHARS) {
            first += 1;
        }
        let close = &marks[first..=last];
        let parts = close.iter().fold(0, |parts, mark| parts | mark.part).count_ones();
        if parts > best.0 {
            best = (parts, marks[first].place.start..mark.place.end);
        }
    }
    best.1
}

fn is_longer(text: &str, chars: usize) -> bool {
    text.chars().nth(chars).is_some()
}

/// Where to begin so that the focus has a lead, and the snippet is full even at the end of the text.
fn start_before(text: &str, focus: usize) -> usize {
    let lead = chars_back(text, focus, LEAD_CHARS);
    let start = lead.min(chars_back(text, text.len(), MAX_CHARS));
    if start == 0 || text[..start].ends_with(' ') {
        return start;
    }
    match text[start..focus].find(' ') {
        Some(space) => start + space + 1,
        None => (start..focus).find(|at| is_border(text, *at)).unwrap_or(focus),
    }
}

/// Where to end, with the end of the focus still shown unless the focus alone is too long.
fn end_after(text: &str, start: usize, focus_end: usize) -> usize {
    let Some((length, next)) = text[start..].char_indices().nth(MAX_CHARS) else {
        return text.len();
    };
    let limit = start + length;
    if next == ' ' {
        return limit;
    }
    let focus_end = focus_end.clamp(start, limit);
    match text[focus_end..limit].rfind(' ') {
        Some(space) => focus_end + space,
        None => (start + 1..=limit)
            .rev()
            .find(|at| is_border(text, *at))
            .unwrap_or(limit),
    }
}

/// The place so many characters before another.
fn chars_back(text: &str, from: usize, chars: usize) -> usize {
    text[..from]
        .char_indices()
        .rev()
        .nth(chars - 1)
        .map_or(0, |(at, _)| at)
}

/// Whether a text can be cut here without tearing apart what readers see as one character. It knows marks, joined
/// and modified emoji and flags.
fn is_border(text: &str, at: usize) -> bool {
    let class = |character| CodePointMapData::<GraphemeClusterBreak>::new().get(character);
    let Some((before, after)) = text.split_at_checked(at) else {
        return false;
    };
    let before = before.chars().next_back().map(class);
    let after = after.chars().next().map(class);
    let extends = matches!(
        after,
        Some(GraphemeClusterBreak::Extend | GraphemeClusterBreak::SpacingMark | GraphemeClusterBreak::ZWJ)
    );
    let flag = Some(GraphemeClusterBreak::RegionalIndicator);
    !extends && before != Some(GraphemeClusterBreak::ZWJ) && !(before == flag && after == flag)
}
