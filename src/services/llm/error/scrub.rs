//! Making a model server's message fit for a user's eyes: no address, no key, one line, bounded.

use std::net::IpAddr;

/// The longest message that is kept, in characters.
const MAX_CHARACTERS: usize = 500;

/// An unbroken run of letters and digits of this length is taken for a key or its hash.
const KEY_RUN: usize = 24;

/// How keys and tokens begin.
const KEY_PREFIXES: &[&str] = &["sk-", "sk_", "pk-", "rk-", "eyJ", "AIza", "gsk_", "xai-"];

/// How host names end that only exist inside a network.
const INNER_DOMAINS: &[&str] = &[".local", ".internal", ".svc", ".cluster"];

/// What LiteLLM adds to a provider's message: how it routes, and where in it the fault arose.
const ADDED_NOTES: &[&str] = &[
    " Received Model Group=",
    "\nAvailable Model Group",
    "\nmodel=",
    "\n\nDeployment Info:",
    "Traceback (most recent",
];

/// The message without what must not be shown.
pub(super) fn scrub(message: &str) -> String {
    let end = ADDED_NOTES
        .iter()
        .filter_map(|note| message.find(note))
        .min()
        .unwrap_or(message.len());
    let mut clean = String::new();
    let mut after_bearer = false;
    for word in message[..end].split_whitespace() {
        if !clean.is_empty() {
            clean.push(' ');
        }
        if after_bearer {
            clean.push_str("[key]");
        } else {
            scrub_word(word, &mut clean);
        }
        after_bearer = word.eq_ignore_ascii_case("bearer");
    }
    if clean.chars().count() > MAX_CHARACTERS {
        clean = clean.chars().take(MAX_CHARACTERS).collect();
        clean.push('…');
    }
    clean.retain(|character| !character.is_control());
    clean
}

/// A word may wrap what must go in quotes, brackets or `name=`.
fn scrub_word(word: &str, clean: &mut String) {
    if word.contains("://") {
        clean.push_str("[address]");
        return;
    }
    for piece in word.split_inclusive([
        '=', ',', ';', '"', '\'', '`', '(', ')', '[', ']', '{', '}', '<', '>',
    ]) {
        let (text, delimiter) = match piece.char_indices().next_back() {
            Some((at, last)) if is_delimiter(last) => piece.split_at(at),
            _ => (piece, ""),
        };
        let shown = if is_key(text) {
            "[key]"
        } else if is_address(text) {
            "[address]"
        } else {
            text
        };
        clean.push_str(shown);
        clean.push_str(delimiter);
    }
}

const fn is_delimiter(character: char) -> bool {
    matches!(
        character,
        '=' | ',' | ';' | '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>'
    )
}

fn is_key(text: &str) -> bool {
    let has_prefix = KEY_PREFIXES
        .iter()
        .any(|prefix| text.match_indices(prefix).any(|(at, _)| starts_word(text, at)));
    has_prefix
        || text
            .split(|character: char| !character.is_ascii_alphanumeric())
            .any(|run| run.len() >= KEY_RUN && run.bytes().any(|byte| byte.is_ascii_digit()))
}

fn starts_word(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|character: char| character.is_ascii_alphanumeric())
}

/// An IP address, a host with a port, or a host name that only exists inside a network.
fn is_address(text: &str) -> bool {
    let text = text.trim_end_matches(['.', ':']);
    let (host, has_port) = match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, true),
        _ => (text, false),
    };
    [text, host].iter().any(|part| part.parse::<IpAddr>().is_ok())
        || (has_port && host.contains('.') && host.bytes().all(is_host_byte))
        || host.eq_ignore_ascii_case("localhost")
        || INNER_DOMAINS.iter().any(|suffix| host.ends_with(suffix))
}

const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_addresses_and_keys() {
        for (message, expected) in [
            (
                "see https://docs.litellm.ai/x?key=1 for more",
                "see [address] for more",
            ),
            ("('http://10.0.0.1:80/v1')", "[address]"),
            ("connect to 10.0.0.1:4000 failed.", "connect to [address] failed."),
            ("host=localhost, port=5432", "host=[address], port=5432"),
            ("db.internal:5432 gone", "[address] gone"),
            ("at ::1 and api.example.com:443", "at [address] and [address]"),
            ("key sk-1234 is bad", "key [key] is bad"),
            (
                "Incorrect API key: 'sk-proj-ab_c'.",
                "Incorrect API key: '[key]'.",
            ),
            (
                "Key=34ac9f204fd0cded2591fa70cadfce0174b108a80a9a812d gone",
                "Key=[key] gone",
            ),
            ("until 03:40:24.429207+00:00", "until 03:40:24.429207+00:00"),
            ("Authorization: Bearer abc", "Authorization: Bearer [key]"),
            (
                "task-force risk-free 3.14 at 12:30",
                "task-force risk-free 3.14 at 12:30",
            ),
            (
                "The model `meta-llama/Llama-3.3-70B-Instruct` says",
                "The model `meta-llama/Llama-3.3-70B-Instruct` says",
            ),
            ("a\nb\u{7}\tc", "a b c"),
        ] {
            assert_eq!(scrub(message), expected);
        }
    }

    #[test]
    fn leaves_out_routing_and_bounds_the_rest() {
        assert_eq!(
            scrub(
                "litellm.BadRequestError: no. Received Model Group=m\nAvailable Model Group Fallbacks=None"
            ),
            "litellm.BadRequestError: no."
        );
        assert_eq!(scrub("no. Traceback (most recent call last): File x"), "no.");
        assert_eq!(scrub(&"ü ".repeat(10_000)).chars().count(), MAX_CHARACTERS + 1);
    }
}
