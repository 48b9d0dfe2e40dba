//! The place in a text that made it a hit, as a line of HTML.
//!
//! - `marks`: where the text matches
//! - `window`: which part of it is shown
//!
//! Invariants: what was written is escaped, so that the only markup is balanced `<mark>`; what is shown is the text
//! in NFC, on one line, and is cut between words or at least between what readers see as characters.

mod marks;
mod window;

use std::ops::Range;

use super::query::SearchQuery;
use super::tokens::canonical;

/// Characters of the text that are shown at most.
const MAX_CHARS: usize = 200;

/// A piece of a text, about 200 characters at most, around the first place where the most parts of the query are
/// close together, or its beginning if it does not match. HTML, with `<mark>` around the words and characters that
/// match and `…` where the text goes on.
#[must_use]
pub fn snippet(content: &str, query: &SearchQuery) -> String {
    let text = one_line(&canonical(content));
    let marks = marks::find(&text, query);
    let window = window::choose(&text, &marks);
    render(&text, window, &marks::merged(marks))
}

/// The text with every run of white space and control characters as one space, and none around it.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty());
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

fn render(text: &str, window: Range<usize>, marked: &[Range<usize>]) -> String {
    let mut html = String::with_capacity(2 * window.len());
    if window.start > 0 {
        html.push('…');
    }
    let mut at = window.start;
    for place in marked {
        let (start, end) = (place.start.max(window.start), place.end.min(window.end));
        if start < end {
            escape(&text[at..start], &mut html);
            html.push_str("<mark>");
            escape(&text[start..end], &mut html);
            html.push_str("</mark>");
            at = end;
        }
    }
    escape(&text[at..window.end], &mut html);
    if window.end < text.len() {
        html.push('…');
    }
    html
}

fn escape(text: &str, html: &mut String) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet_of(content: &str, query: &str) -> String {
        snippet(content, &SearchQuery::parse(query))
    }

    #[test]
    fn marks_what_was_written() {
        for (content, query, expected) in [
            ("", "x", ""),
            ("nothing here", "bear", "nothing here"),
            ("One Café, two", "cafe", "One <mark>Café</mark>, two"),
            ("Cafe\u{301}s", "cafe", "<mark>Cafés</mark>"),
            ("x\u{302}y", "xy", "<mark>x\u{302}y</mark>"),
            ("die Straße", "strasse", "die <mark>Straße</mark>"),
            ("the \u{fb01}nal", "fin", "the <mark>\u{fb01}nal</mark>"),
            ("İstanbul", "istan", "<mark>İstanbul</mark>"),
            ("東京都に", "京都", "東<mark>京都</mark>に"),
            ("東京都に", "東京 京都", "<mark>東京都</mark>に"),
            ("東京、京東", "東", "<mark>東</mark>京、京<mark>東</mark>"),
            ("ok 👍🏽!", "👍", "ok <mark>👍</mark>🏽!"),
            ("a ❤\u{fe0f}b", "❤", "a <mark>❤\u{fe0f}</mark>b"),
            ("ｶﾞｲﾄﾞ", "イド", "ｶﾞ<mark>ｲﾄﾞ</mark>"),
            ("\u{1112}\u{1161}\u{11ab}국", "한", "<mark>한</mark>국"),
            ("a\tb\r\n\n c\u{1}d", "c", "a b <mark>c</mark> d"),
            (
                "<b>\"it's\" & </mark>",
                "mark it",
                "&lt;b&gt;&quot;<mark>it</mark>&#39;s&quot; &amp; &lt;/<mark>mark</mark>&gt;",
            ),
            (
                "app apple apply",
                "app appl",
                "<mark>app</mark> <mark>apple</mark> <mark>apply</mark>",
            ),
            ("a a\u{301} ab", "a", "<mark>a</mark> <mark>á</mark> ab"),
        ] {
            assert_eq!(snippet_of(content, query), expected, "{content:?} {query:?}");
        }
    }

    #[test]
    fn shows_the_surroundings_cut_at_words() {
        let content = format!("{}needle {}", "before it ".repeat(50), "after it ".repeat(50));
        let snippet = snippet_of(&content, "needle");
        assert!(snippet.starts_with("…before it before"), "{snippet}");
        assert!(snippet.contains("it <mark>needle</mark> after"), "{snippet}");
        assert!(
            snippet.ends_with("after it…") || snippet.ends_with("after…"),
            "{snippet}"
        );
        assert!((180..=215).contains(&snippet.chars().count()), "{snippet}");
    }

    #[test]
    fn is_full_at_the_end_of_a_text_too() {
        let snippet = snippet_of(&format!("{}needle", "before it ".repeat(50)), "needle");
        assert!(
            snippet.ends_with("<mark>needle</mark>") && snippet.chars().count() > 190,
            "{snippet}"
        );
    }

    #[test]
    fn prefers_the_place_with_most_of_the_query() {
        let far = "x y z ".repeat(100);
        let snippet = snippet_of(
            &format!("one {far} two {far} one and two {far} three"),
            "one two three",
        );
        assert!(
            snippet.contains("<mark>one</mark> and <mark>two</mark>"),
            "{snippet}"
        );
    }

    #[test]
    fn without_words_to_cut_at_keeps_characters_whole() {
        let family = "👩\u{200d}👩\u{200d}👧\u{fe0f}";
        let content = format!("{}東{}", family.repeat(100), "e\u{302}\u{323}\u{333}".repeat(300));
        let snippet = snippet_of(&content, "東");
        assert!(
            snippet.starts_with("…👩\u{200d}👩\u{200d}👧\u{fe0f}👩"),
            "{snippet}"
        );
        assert!(snippet.ends_with("\u{333}…"), "{snippet}");
        assert!(snippet.contains("<mark>東</mark>"));
    }

    #[test]
    fn a_giant_word_is_cut_within_its_mark() {
        let snippet = snippet_of(&"a".repeat(100_000), "aa");
        assert_eq!(snippet, format!("<mark>{}</mark>…", "a".repeat(MAX_CHARS)));
    }
}
