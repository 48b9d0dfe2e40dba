//! What a search asks for, and how it is put to a store.
//!
//! A store narrows rows down by its index ([`SearchQuery::fts5`], [`SearchQuery::tsqueries`]), which knows tokens but
//! not their neighbours, and checks [`SearchQuery::phrases`] in the index text of what remains. Without an index,
//! [`SearchQuery::needles`] say all. Both give the same rows.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::tokens::{Token, TokenKind, canonical, each_token};

/// Parts of a query that are looked for; those after them are ignored.
pub const MAX_QUERY_PARTS: usize = 16;

/// Characters standing next to each other that are looked for; those after them are ignored.
const MAX_RUN_CHARS: usize = 64;

/// Beginnings of words up to this many characters may be those of very many words.
const MAX_BROAD_CHARS: usize = 3;

/// A search, as it was typed, in the terms of the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchQuery {
    parts: Vec<Part>,
}

/// A query for PostgreSQL, in two parts that both have to match: texts to be cast to `tsquery`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tsqueries {
    /// What to look up in the index.
    pub index: String,
    /// What to look for in the rows that this leads to: for beginnings of very many words, a GIN index would read all
    /// that these words are in, whatever else is asked for.
    pub rows: Option<String>,
}

/// One thing that has to be in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A word that begins so.
    Prefix(String),
    /// These tokens next to each other; joined by spaces, as in the index.
    Tokens(String),
}

/// A term of the index that has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Term<'a> {
    token: &'a str,
    is_prefix: bool,
}

impl SearchQuery {
    /// Reads any text as a query. Its words are looked for as the beginnings of words, a word of one character as
    /// itself. A run of characters of a script without spaces, or of emoji, has to stand in the text in the same
    /// way, though with separators between them or not. At most [`MAX_QUERY_PARTS`] different parts.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let mut parser = Parser::default();
        each_token(&canonical(query), |token| parser.take(token));
        parser.forget_repeated();
        Self { parts: parser.parts }
    }

    /// Whether there is nothing to look for. Such a query finds nothing: stores need not be asked.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The expression for `MATCH` of SQLite's FTS5, over terms that begin with `key`, in a table with
    /// `tokenize = 'ascii'`. Finds every match, and texts in which the tokens of a phrase stand apart.
    #[must_use]
    pub fn fts5(&self, key: &str) -> String {
        let terms: Vec<Term<'_>> = self.terms().collect();
        expression(&terms, " AND ", |Term { token, is_prefix }| {
            format!("\"{key}{token}\"{}", if *is_prefix { "*" } else { "" })
        })
    }

    /// The query for PostgreSQL, over terms that begin with `key`. Finds every match, and texts in which the tokens of
    /// a phrase stand apart.
    #[must_use]
    pub fn tsqueries(&self, key: &str) -> Tsqueries {
        let (mut index, mut rows): (Vec<_>, Vec<_>) = self.terms().partition(|term| !term.is_broad());
        if index.is_empty() {
            // The last of those that are equally long.
            let narrowest = (0..rows.len()).max_by_key(|at| rows[*at].token.chars().count());
            index.extend(narrowest.map(|at| rows.remove(at)));
        }
        let expression = |terms: &[Term<'_>]| {
            expression(terms, " & ", |Term { token, is_prefix }| {
                format!("'{key}{token}'{}", if *is_prefix { ":*" } else { "" })
            })
        };
        Tsqueries {
            index: expression(&index),
            rows: (!rows.is_empty()).then(|| expression(&rows)),
        }
    }

    /// What is also to be found in `' ' || index_text || ' '` of a row that an index found: the tokens that have
    /// to stand next to each other.
    #[must_use]
    pub fn phrases(&self) -> Vec<String> {
        let is_phrase = |part: &&Part| matches!(part, Part::Tokens(tokens) if tokens.contains(' '));
        self.parts.iter().filter(is_phrase).map(Part::needle).collect()
    }

    /// What is to be found in `' ' || index_text || ' '`, one for each part: all of them are there if and only if
    /// the text matches.
    #[must_use]
    pub fn needles(&self) -> Vec<String> {
        self.parts.iter().map(Part::needle).collect()
    }

    /// Whether an index text matches.
    #[must_use]
    pub fn matches(&self, index_text: &str) -> bool {
        let padded = format!(" {index_text} ");
        !self.is_empty() && self.parts.iter().all(|part| padded.contains(&part.needle()))
    }

    /// How often the needles are in an index text, for [`Hit::occurrences`](super::Hit::occurrences). Places of one
    /// needle do not overlap, as with `replace` in SQL: the length of `' ' || index_text || ' '` less its length
    /// without the needle, divided by the length of the needle.
    #[must_use]
    pub fn occurrences(&self, index_text: &str) -> u64 {
        let padded = format!(" {index_text} ");
        let count = |part: &Part| padded.matches(&part.needle()).count() as u64;
        self.parts.iter().map(count).sum()
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Each once.
    fn terms(&self) -> impl Iterator<Item = Term<'_>> {
        let mut seen = HashSet::new();
        let terms = self.parts.iter().flat_map(Part::terms);
        terms.filter(move |term| seen.insert(*term))
    }
}

fn expression(terms: &[Term<'_>], and: &str, quote: impl Fn(&Term<'_>) -> String) -> String {
    let quoted: Vec<String> = terms.iter().map(quote).collect();
    quoted.join(and)
}

impl Term<'_> {
    fn is_broad(&self) -> bool {
        self.is_prefix && self.token.chars().nth(MAX_BROAD_CHARS).is_none()
    }
}

impl Part {
    fn needle(&self) -> String {
        match self {
            Self::Prefix(word) => format!(" {word}"),
            Self::Tokens(tokens) => format!(" {tokens} "),
        }
    }

    fn terms(&self) -> impl Iterator<Item = Term<'_>> {
        let (tokens, is_prefix) = match self {
            Self::Prefix(word) => (word, true),
            Self::Tokens(tokens) => (tokens, false),
        };
        tokens.split(' ').map(move |token| Term { token, is_prefix })
    }
}

#[derive(Default)]
struct Parser {
    parts: Vec<Part>,
    /// Characters of the run that the last part is; 0 if it is a word.
    run: usize,
}

impl Parser {
    fn take(&mut self, token: &Token<'_>) -> ControlFlow<()> {
        let text = token.text.to_owned();
        match token.kind {
            TokenKind::Single if token.joined && self.run > 0 => self.lengthen_run(token.text),
            TokenKind::Single => self.begin(Part::Tokens(text), 1)?,
            TokenKind::Word if text.chars().nth(1).is_none() => self.begin(Part::Tokens(text), 0)?,
            TokenKind::Word => self.begin(Part::Prefix(text), 0)?,
        }
        ControlFlow::Continue(())
    }

    fn lengthen_run(&mut self, token: &str) {
        if let Some(Part::Tokens(tokens)) = self.parts.last_mut()
            && self.run < MAX_RUN_CHARS
        {
            tokens.push(' ');
            tokens.push_str(token);
            self.run += 1;
        }
    }

    fn begin(&mut self, part: Part, run: usize) -> ControlFlow<()> {
        self.forget_repeated();
        if self.parts.len() == MAX_QUERY_PARTS {
            return ControlFlow::Break(());
        }
        self.parts.push(part);
        self.run = run;
        ControlFlow::Continue(())
    }

    /// Drops the last part if it says what one before it says. Only now is it known to be whole.
    fn forget_repeated(&mut self) {
        if let Some((last, before)) = self.parts.split_last()
            && before.contains(last)
        {
            self.parts.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::index_text;
    use super::*;

    fn tsqueries(query: &SearchQuery) -> (String, Option<String>) {
        let Tsqueries { index, rows } = query.tsqueries("k");
        (index, rows)
    }

    #[test]
    fn finds_what_people_look_for() {
        for (text, query, found) in [
            ("The quick brown fox", "QUI fox", true),
            ("The quick brown fox", "uick", false),
            ("The quick brown fox", "quick bear", false),
            ("a quick one", "a", true),
            ("another quick one", "a", false),
            ("plan B", "b", true),
            ("Crème brûlée", "creme brulee", true),
            ("creme brulee", "CRÈME", true),
            ("Straße", "strasse", true),
            ("STRASSE", "straße", true),
            ("the \u{fb01}nal", "fin", true),
            ("ＦＵＬＬ width", "full", true),
            ("İstanbul", "istanbul", true),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσεύς", true),
            ("東京都に住む", "東京", true),
            ("東京都に住む", "京都", true),
            ("京の東", "東京", false),
            ("京の東", "東 京", true),
            ("Tokyo東京Tower", "tower 京", true),
            ("母はハハ", "パパ", false),
            ("한국어를 배우다", "국어", true),
            ("\u{1112}\u{1161}\u{11ab}국", "한국", true),
            ("ฉันกินข้าว", "กิน", true),
            ("well done 👍🏽", "👍", true),
            ("well done 👍", "👍🏽", false),
            ("👩‍🚀 to the moon", "👩", true),
            ("I ❤️ it", "❤", true),
            ("version 2.0.1", "2.0", true),
            ("call 555-1234", "5551234", false),
            ("Robert\"); DROP TABLE", "\"); DROP", true),
        ] {
            let query = SearchQuery::parse(query);
            assert_eq!(query.matches(&index_text(text)), found, "{text:?} {query:?}");
        }
    }

    #[test]
    fn without_a_token_it_is_empty() {
        for query in [
            "",
            " ",
            "*",
            "%_",
            "\"",
            "'",
            "\\",
            "\u{1}\u{7f}",
            "\u{301}",
            &"(".repeat(200),
        ] {
            let query = SearchQuery::parse(query);
            assert!(query.is_empty() && !query.matches("a b"));
            assert_eq!(
                (query.fts5("k"), tsqueries(&query)),
                (String::new(), (String::new(), None))
            );
        }
    }

    #[test]
    fn is_put_to_each_store() {
        let query = SearchQuery::parse("Hello 東京東 x 👍 hello OR NOT*");
        assert_eq!(
            query.fts5("k"),
            r#""khello"* AND "k東" AND "k京" AND "kx" AND "k👍" AND "kor"* AND "knot"*"#
        );
        let index = "'khello':* & 'k東' & 'k京' & 'kx' & 'k👍'".to_owned();
        assert_eq!(tsqueries(&query), (index, Some("'kor':* & 'knot':*".to_owned())));
        assert_eq!(query.phrases(), [" 東 京 東 "]);
        assert_eq!(
            query.needles(),
            [" hello", " 東 京 東 ", " x ", " 👍 ", " or", " not"]
        );
    }

    #[test]
    fn an_index_is_asked_for_what_is_rare() {
        for (query, index, rows) in [
            ("th", "'kth':*", None),
            ("in to the of", "'kthe':*", Some("'kin':* & 'kto':* & 'kof':*")),
            ("in a", "'ka'", Some("'kin':*")),
            ("in then", "'kthen':*", Some("'kin':*")),
            ("then there", "'kthen':* & 'kthere':*", None),
        ] {
            let expected = (index.to_owned(), rows.map(str::to_owned));
            assert_eq!(tsqueries(&SearchQuery::parse(query)), expected, "{query}");
        }
    }

    #[test]
    fn counts_as_sql_does() {
        let query = SearchQuery::parse("fo 東京");
        assert_eq!(query.occurrences(&index_text("foo, food and of 東京東京")), 3);
        // Two neighbours share a space, and `replace` would take it with the first of them.
        assert_eq!(SearchQuery::parse("a").occurrences("a a a"), 2);
    }

    #[test]
    fn is_bounded() {
        let words: Vec<String> = (10..99).map(|n| format!("w{n} w{n}")).collect();
        let query = SearchQuery::parse(&words.join(" "));
        assert_eq!(query.needles().len(), MAX_QUERY_PARTS);
        assert_eq!(query.needles()[15], " w25");

        let run = SearchQuery::parse(&"東".repeat(500));
        assert_eq!(run.needles(), [format!(" {}", "東 ".repeat(MAX_RUN_CHARS))]);
        assert!(run.matches(&index_text(&"東".repeat(500))));
    }
}
