//! Cuts a text into the tokens it is searched by, and remembers where each stands in the text.
//!
//! Invariants: a token is not empty; it holds no white space and no ASCII but `a-z` and `0-9`; the tokens of tokens
//! joined by spaces are those tokens. Places grow and are at borders of characters.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use icu_normalizer::ComposingNormalizer;
use icu_normalizer::properties::{CanonicalComposition, CanonicalCompositionBorrowed};

use super::characters::{Characters, Role, ascii_role};

/// Tokens of one text that are indexed; what follows is not found.
pub const MAX_INDEX_TOKENS: usize = 16_000;

/// Bytes of one index text; what follows is not found.
pub const MAX_INDEX_BYTES: usize = 64 * 1024;

/// Characters of one word that are indexed; the rest of a longer word is not.
pub const MAX_WORD_CHARS: usize = 64;

/// What a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Letters and digits up to the next separator.
    Word,
    /// One character of a script without spaces, or one symbol.
    Single,
}

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// The folded text.
    pub text: &'a str,
    /// What it is made of.
    pub kind: TokenKind,
    /// Bytes of the text that it was made from.
    pub source: Range<usize>,
    /// Whether no separator stands between it and the token before it.
    pub joined: bool,
}

/// A text in the form that can be cut into tokens (NFC).
pub(super) fn canonical(text: &str) -> Cow<'_, str> {
    ComposingNormalizer::new_nfc().normalize(text)
}

/// Hands on the tokens of a [`canonical`] text, in order, until the bounds of an index text or `each` end it.
pub(super) fn each_token(text: &str, each: impl FnMut(&Token<'_>) -> ControlFlow<()>) {
    let mut cutter = Cutter::new(each);
    if cutter.cut(text).is_continue() {
        // Whether anybody wants more does not matter after the last token.
        let _ = cutter.end_token();
    }
}

/// Builds one token at a time.
struct Cutter<F> {
    each: F,
    composition: CanonicalCompositionBorrowed<'static>,
    /// The token being built; empty between tokens.
    text: String,
    chars: usize,
    kind: TokenKind,
    source: Range<usize>,
    joined: bool,
    /// Whether the last thing read was no separator.
    touching: bool,
    tokens: usize,
    bytes: usize,
}

impl<F: FnMut(&Token<'_>) -> ControlFlow<()>> Cutter<F> {
    fn new(each: F) -> Self {
        Self {
            each,
            composition: CanonicalComposition::new(),
            text: String::new(),
            chars: 0,
            kind: TokenKind::Word,
            source: 0..0,
            joined: false,
            touching: false,
            tokens: 0,
            bytes: 0,
        }
    }

    fn cut(&mut self, text: &str) -> ControlFlow<()> {
        let characters = Characters::new();
        let mut folded = String::new();
        for (start, character) in text.char_indices() {
            let source = start..start + character.len_utf8();
            // Most text is ASCII, for which no table needs to be asked.
            if character.is_ascii() {
                self.take(character.to_ascii_lowercase(), ascii_role(character), source)?;
                continue;
            }
            characters.fold(character, &mut folded);
            for part in folded.chars() {
                self.take(part, characters.role(part), source.clone())?;
            }
        }
        ControlFlow::Continue(())
    }

    fn take(&mut self, folded: char, role: Role, source: Range<usize>) -> ControlFlow<()> {
        match role {
            Role::Word => self.extend(folded, TokenKind::Word, source),
            Role::Single => self.extend(folded, TokenKind::Single, source),
            Role::Ignored => {
                self.source.end = source.end;
                ControlFlow::Continue(())
            }
            Role::Separator => {
                let ended = self.end_token();
                self.touching = false;
                ended
            }
        }
    }

    /// Adds a character to the token being built, or begins a new one with it.
    fn extend(&mut self, folded: char, kind: TokenKind, source: Range<usize>) -> ControlFlow<()> {
        let open = !self.text.is_empty() && self.kind == kind;
        if !(open && self.compose(folded)) {
            if !(open && kind == TokenKind::Word) {
                self.end_token()?;
                self.begin_token(kind, source.start);
            }
            self.push(folded);
        }
        self.source.end = source.end;
        ControlFlow::Continue(())
    }

    /// Makes one character of the token's last one and this, if there is one for both. They were decomposed, or
    /// kept apart by what is ignored; half-width ｶ and ﾞ are ガ.
    fn compose(&mut self, folded: char) -> bool {
        if folded.is_ascii() || self.chars > MAX_WORD_CHARS {
            return false;
        }
        let composed = self
            .text
            .chars()
            .next_back()
            .and_then(|last| self.composition.compose(last, folded));
        if let Some(composed) = composed {
            self.text.pop();
            self.text.push(composed);
        }
        composed.is_some()
    }

    fn push(&mut self, folded: char) {
        if self.chars < MAX_WORD_CHARS {
            self.text.push(folded);
        }
        self.chars += 1;
    }

    fn begin_token(&mut self, kind: TokenKind, start: usize) {
        self.kind = kind;
        self.source.start = start;
        self.joined = self.touching;
        self.touching = true;
    }

    /// Hands on the token being built, unless it is one too many.
    fn end_token(&mut self) -> ControlFlow<()> {
        if self.text.is_empty() {
            return ControlFlow::Continue(());
        }
        let separator = usize::from(self.tokens > 0);
        self.tokens += 1;
        self.bytes += separator + self.text.len();
        if self.tokens > MAX_INDEX_TOKENS || self.bytes > MAX_INDEX_BYTES {
            return ControlFlow::Break(());
        }
        (self.each)(&Token {
            text: &self.text,
            kind: self.kind,
            source: self.source.clone(),
            joined: self.joined,
        })?;
        self.text.clear();
        self.chars = 0;
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens of a text, each with the piece of text that it was made from; `+` if it is joined.
    fn tokens(text: &str) -> Vec<String> {
        let text = canonical(text);
        let mut tokens = Vec::new();
        each_token(&text, |token| {
            let joined = if token.joined { "+" } else { "" };
            tokens.push(format!("{joined}{}={}", token.text, &text[token.source.clone()]));
            ControlFlow::Continue(())
        });
        tokens
    }

    #[test]
    fn remembers_where_tokens_stand() {
        for (text, expected) in [
            ("", vec![]),
            ("  Café, crème!", vec!["cafe=Café", "creme=crème"]),
            ("x\u{302}y\u{302} z", vec!["xy=x\u{302}ŷ", "z=z"]),
            ("Straße-\u{fb01}n", vec!["strasse=Straße", "fin=\u{fb01}n"]),
            ("東京tower 都", vec!["東=東", "+京=京", "+tower=tower", "都=都"]),
            ("👍🏽 ❤\u{fe0f}", vec!["👍=👍", "+🏽=🏽", "❤=❤\u{fe0f}"]),
            ("👩\u{200d}🚀", vec!["👩=👩\u{200d}", "+🚀=🚀"]),
            ("ｶﾞｲﾄﾞ", vec!["ガ=ｶﾞ", "+イ=ｲ", "+ド=ﾄﾞ"]),
            ("\u{1112}\u{1161}\u{11ab}", vec!["한=한"]),
            ("㍿", vec!["株=㍿", "+式=㍿", "+会=㍿", "+社=㍿"]),
            ("a\u{ad}b a\u{200b}b", vec!["ab=a\u{ad}b", "a=a", "b=b"]),
        ] {
            assert_eq!(tokens(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_long_word_is_cut_and_stands_where_all_of_it_stands() {
        let word = "é".repeat(100);
        assert_eq!(
            tokens(&format!("{word} b"))[0],
            format!("{}={word}", "e".repeat(64))
        );
        assert_eq!(tokens(&format!("{word} b"))[1], "b=b");
    }

    #[test]
    fn ends_when_told_to() {
        let mut seen = 0;
        each_token("a b c", |_| {
            seen += 1;
            ControlFlow::Break(())
        });
        assert_eq!(seen, 1);
    }
}
