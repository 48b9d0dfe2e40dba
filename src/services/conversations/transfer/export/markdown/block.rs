//! Keeps the Markdown of a message inside its section.
//!
//! A text is written as it is, unless something in it would change what follows or would look like a section:
//! a heading, a line that makes the one above a heading, HTML, or a code block that is never closed. Such a text
//! becomes a block quote, which ends whatever was begun inside. The lines of a code block are no Markdown, so a
//! `# comment` in one breaks nothing.

use std::borrow::Cow;

/// The text as it is where that is safe, else as a block quote.
pub(super) fn contained(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(['\n', '\r']);
    if breaks_out(text) {
        Cow::Owned(quoted(text))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text as a block quote.
pub(super) fn quoted(text: &str) -> String {
    let mut quote = String::with_capacity(text.len() + 16);
    for (index, line) in text.trim_matches(['\n', '\r']).lines().enumerate() {
        if index > 0 {
            quote.push('\n');
        }
        quote.push('>');
        if !line.is_empty() {
            quote.push(' ');
            quote.push_str(line);
        }
    }
    quote
}

/// The text as a code block, in a fence longer than any in it.
pub(super) fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{text}\n{fence}")
}

/// The text on one line, for a heading.
pub(super) fn inline(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('<', "&lt;")
}

fn breaks_out(text: &str) -> bool {
    let mut fence: Option<(char, usize)> = None;
    for line in text.lines() {
        let indented = line.trim_start_matches(' ');
        let is_code = line.len() - indented.len() > 3;
        let mark = (!is_code).then(|| fence_mark(indented)).flatten();
        match (fence, mark) {
            (Some((open, length)), Some((c, n))) => {
                // Only a bare fence closes.
                if c == open && n >= length && indented[n..].trim().is_empty() {
                    fence = None;
                }
            }
            (Some(_), None) => {}
            (None, Some(mark)) => fence = Some(mark),
            (None, None) => {
                if is_heading(indented) || has_html(line) {
                    return true;
                }
            }
        }
    }
    fence.is_some()
}

/// The character and the length of the fence that a line begins with.
fn fence_mark(line: &str) -> Option<(char, usize)> {
    let c = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.chars().take_while(|next| *next == c).count();
    // A line such as ```` ```x``` ```` is code within a paragraph.
    let opens = c == '~' || !line[length..].contains('`');
    (length >= 3 && opens).then_some((c, length))
}

/// `# heading`, or the underline of one.
fn is_heading(line: &str) -> bool {
    let underlines = |c: char| !line.is_empty() && line.trim_end().chars().all(|next| next == c);
    let hashes = line.chars().take_while(|c| *c == '#').count();
    let marked = (1..=6).contains(&hashes) && line[hashes..].chars().next().is_none_or(char::is_whitespace);
    marked || underlines('=') || underlines('-')
}

/// Anything that a browser may take for a tag or a comment, wherever it stands.
fn has_html(line: &str) -> bool {
    line.split('<')
        .skip(1)
        .any(|after| after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_harmless_markdown_as_it_is() {
        for text in [
            "Hello *world*, 1 < 2",
            "```sh\n# comment\n<html>\n```",
            "~~~~\n~~~\n~~~~\nafter",
            "a\n- b\n- c",
            "#hashtag",
        ] {
            assert_eq!(contained(text), text, "{text}");
        }
    }

    #[test]
    fn quotes_what_would_break_out() {
        for text in [
            "## User",
            "   # a",
            "a\n---",
            "Title\n===",
            "```\nnever closed",
            "````\n```\n",
            "<details>",
            "a <!-- b",
        ] {
            let quote = contained(text);
            assert!(quote.lines().all(|line| line.starts_with('>')), "{quote}");
        }
        assert_eq!(contained("# a\n\nb"), "> # a\n>\n> b");
    }

    #[test]
    fn fences_are_longer_than_what_they_hold() {
        assert_eq!(fenced("json", "{}"), "```json\n{}\n```");
        assert_eq!(fenced("", "a ```` b"), "`````\na ```` b\n`````");
    }

    #[test]
    fn headings_have_one_line() {
        assert_eq!(inline("a\n# b <i>"), "a # b &lt;i>");
    }
}
