//! What is stored for a text, and what is indexed of it.

use std::ops::ControlFlow;

use super::tokens::{canonical, each_token};
use crate::models::ids::UserId;

/// Characters of a user's key.
const KEY_CHARS: usize = 8;

/// The tokens of a text, joined by single spaces: the column that is searched. At most
/// [`MAX_INDEX_TOKENS`](super::MAX_INDEX_TOKENS) tokens and [`MAX_INDEX_BYTES`](super::MAX_INDEX_BYTES) bytes; what
/// follows is not found.
#[must_use]
pub fn index_text(text: &str) -> String {
    let mut index = String::new();
    each_token(&canonical(text), |token| {
        if !index.is_empty() {
            index.push(' ');
        }
        index.push_str(token.text);
        ControlFlow::Continue(())
    });
    index
}

/// The terms of an index text: every token after the key of its user, so that each user has terms of their own and
/// what a search costs does not depend on what others wrote.
///
/// Triggers compute the same in SQL: `key || replace(index_text, ' ', ' ' || key)`. Of an empty text this is the
/// key alone, which no query asks for.
#[must_use]
pub fn index_terms(index_text: &str, key: &str) -> String {
    format!("{key}{}", index_text.replace(' ', &format!(" {key}")))
}

/// The key before the terms of a user: 8 of `a-z0-9`, the same in every release, since it is stored.
///
/// Users may share a key. It only keeps their terms apart for speed; whose a hit is, is checked in the row.
#[must_use]
pub fn user_key(user: UserId) -> String {
    let mut hash = fnv1a(user.0.as_bytes());
    let mut key = String::with_capacity(KEY_CHARS);
    for _ in 0..KEY_CHARS {
        key.extend(
            u32::try_from(hash % 36)
                .ok()
                .and_then(|digit| char::from_digit(digit, 36)),
        );
        hash /= 36;
    }
    key
}

/// The 64-bit FNV-1a hash.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::{MAX_INDEX_BYTES, MAX_INDEX_TOKENS};
    use super::*;

    #[test]
    fn folds_and_separates() {
        for (text, expected) in [
            ("", ""),
            (" \n\t!?", ""),
            ("Hello, World!", "hello world"),
            ("Crème BRÛLÉE", "creme brulee"),
            ("cre\u{300}me", "creme"),
            ("Straße STRASSE ẞ", "strasse strasse ss"),
            ("\u{fb01}nal e\u{fb03}cient", "final efficient"),
            ("ＦＵＬＬ１２", "full12"),
            ("İstanbul ISPARTA ılık", "istanbul isparta ılık"),
            ("Ὀδυσσεύς ΟΔΥΣΣΕΥΣ ᾳ", "οδυσσευσ οδυσσευσ α"),
            ("Ёлка", "елка"),
            ("東京都", "東 京 都"),
            ("ラーメンとビール", "ラ ー メ ン と ビ ー ル"),
            ("ﾋﾞｰﾙ", "ビ ー ル"),
            ("한국어", "한 국 어"),
            ("한\u{1100}\u{116e}\u{11a8}", "한 국"),
            ("กินน้ำ", "ก \u{e34} น น \u{e4d} า"),
            ("हिन्दी में", "हिनदी में"),
            ("أهلاً", "اهلا"),
            ("שָׁלוֹם", "שלום"),
            ("I ❤️ 👍🏽👩‍🚀", "i ❤ 👍 🏽 👩 🚀"),
            ("🇩🇪", "🇩 🇪"),
            ("5 € = 5€, 1½ m²", "5 € 5 € 11 ⁄ 2 m2"),
            ("snake_case kebab-case it's", "snake case kebab case it s"),
            ("\"); DROP TABLE x;--", "drop table x"),
            ("%_ * ' \\ \u{1} \u{7f} \u{85}", ""),
            ("soft\u{ad}hyphen \u{feff}bom", "softhyphen bom"),
        ] {
            assert_eq!(index_text(text), expected, "{text:?}");
        }
    }

    #[test]
    fn is_bounded_at_a_token() {
        let index = index_text(&"a ".repeat(MAX_INDEX_TOKENS + 10));
        assert_eq!(index.split(' ').count(), MAX_INDEX_TOKENS);

        let index = index_text(&"abcdefghi ".repeat(MAX_INDEX_TOKENS));
        assert!(index.len() <= MAX_INDEX_BYTES && index.len() > MAX_INDEX_BYTES - 10);
        assert!(index.split(' ').all(|token| token == "abcdefghi"));
    }

    #[test]
    fn terms_are_tokens_after_the_key() {
        assert_eq!(index_terms("a bc 東", "k0"), "k0a k0bc k0東");
    }

    #[test]
    fn a_users_key_never_changes() {
        assert_eq!(user_key(UserId(Uuid::nil())), "9r16m43y");
        assert_eq!(user_key(UserId(Uuid::from_u128(1))), "qqzbp02k");
    }
}
