//! Bounds on what is imported, and how it is said that they are broken.
//!
//! A file may be made to hurt: a few bytes of JSON can ask for many bytes of memory. So lists are bounded while
//! they are parsed, and no work is more than a small multiple of the text.

use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Datelike, Utc};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::services::conversations::{
    MAX_METADATA_BYTES, MAX_METADATA_DEPTH, MAX_MODEL_CHARS, MAX_TITLE_CHARS,
};
use crate::utils::json::depth;
use crate::utils::validation::YEARS;

/// Largest conversation, in bytes of its JSON. Memory is a small multiple of it.
pub const MAX_CONVERSATION_BYTES: usize = 64 << 20;

/// Most messages of a conversation.
pub const MAX_MESSAGES: usize = 100_000;

/// Most branches of a conversation: twice what `MAX_BRANCHES_PER_CONVERSATION` can be set to, since each costs two
/// statements while others wait.
pub const MAX_BRANCHES: usize = 2_000;

/// Most bytes of one message's text, and of its parts, thoughts and tool calls each: room for a photograph as a `data:`
/// URL, which `MAX_BODY_BYTES` may let in.
pub const MAX_CONTENT_BYTES: usize = 16 << 20;

/// Characters of an id that is kept.
const MAX_ID_CHARS: usize = 200;

/// Bytes that a merge adds to the metadata of a copy, at most: where it was copied from.
const MERGED_FROM_BYTES: usize = 200;

/// Deepest nesting of content parts and tool calls: as deep as they can be read again. This is more than metadata may
/// have, since a model's answer was never refused for it.
const MAX_UNREAD_DEPTH: usize = 120;

/// Why a conversation is refused: a sentence for the person who imports, naming the field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(String);

impl Refusal {
    /// What is wrong with the conversation as a whole.
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// What is wrong with a field.
    pub(super) fn field(field: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self(format!("`{field}` {what}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses the JSON of a conversation; what does not fit is named by its path.
pub(super) fn parse<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.inner();
        // The line is one of this conversation, not of the file: it would only mislead.
        let place = format!(" at line {} column {}", cause.line(), cause.column());
        let text = cause.to_string();
        let what = text.strip_suffix(&place).unwrap_or(&text);
        match path.as_str() {
            "." | "?" => Refusal::of(what),
            path => Refusal::field(path, format_args!("does not fit: {what}")),
        }
    })
}

/// Reads a field that counts as absent where it has another type than expected.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// A list of at most `MAX` items, refused before it takes more memory than those.
#[derive(Debug)]
pub(super) struct Bounded<T, const MAX: usize>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MAX: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Items<T, MAX> {
            type Value = Bounded<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == MAX {
                        return Err(serde::de::Error::custom(format_args!("more than {MAX} items")));
                    }
                    items.push(item);
                }
                Ok(Bounded(items))
            }
        }

        deserializer.deserialize_seq(Items(PhantomData))
    }
}

/// The source of a conversation, or the id of a part of it.
pub(super) fn check_source(source: &str) -> Result<(), Refusal> {
    check_id("id", source)
}

/// An id that is kept.
pub(super) fn check_id(field: impl fmt::Display, id: &str) -> Result<(), Refusal> {
    check_name(field, id, MAX_ID_CHARS)
}

/// A title, an id, or the name of a branch: bounded, and on its lines.
pub(super) fn check_name(field: impl fmt::Display, name: &str, max_chars: usize) -> Result<(), Refusal> {
    check_chars(&field, name, max_chars)?;
    if name.chars().any(|c| c.is_control() && c != '\t' && c != '\n') {
        return Err(Refusal::field(field, "must not hold control characters"));
    }
    Ok(())
}

/// The name of a model, or a finish reason.
pub(super) fn check_model(field: impl fmt::Display, model: &str) -> Result<(), Refusal> {
    check_chars(&field, model, MAX_MODEL_CHARS)?;
    if model.chars().any(char::is_control) {
        return Err(Refusal::field(field, "must not hold control characters"));
    }
    Ok(())
}

/// A text of at most so many characters.
pub(super) fn check_chars(field: impl fmt::Display, text: &str, max: usize) -> Result<(), Refusal> {
    // No text has more characters than bytes: most need no counting.
    if text.len() > max && text.chars().count() > max {
        return Err(Refusal::field(
            field,
            format_args!("has more than {max} characters"),
        ));
    }
    Ok(())
}

/// A time that every database of ours can hold.
pub(super) fn check_time(field: impl fmt::Display, time: Option<DateTime<Utc>>) -> Result<(), Refusal> {
    match time {
        Some(time) if !YEARS.contains(&time.year()) => Err(Refusal::field(
            field,
            format_args!("must be in the years {} to {}", YEARS.start(), YEARS.end()),
        )),
        _ => Ok(()),
    }
}

/// Metadata: a JSON object of bounded size. An empty one is none.
pub(super) fn metadata(
    field: impl fmt::Display,
    raw: Option<&RawValue>,
) -> Result<Option<Box<RawValue>>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    if !raw.get().starts_with('{') {
        return Err(Refusal::field(field, "must be an object"));
    }
    check_depth(&field, raw, MAX_METADATA_DEPTH)?;
    let bytes = bytes_without_space(raw);
    if bytes > MAX_METADATA_BYTES + MERGED_FROM_BYTES {
        return Err(Refusal::field(
            field,
            format_args!("has more than {MAX_METADATA_BYTES} bytes"),
        ));
    }
    Ok((bytes > "{}".len()).then(|| raw.to_owned()))
}

/// JSON that passes through unread: bounded, and not nested too deeply to be read again.
pub(super) fn check_unread(field: impl fmt::Display, raw: &RawValue) -> Result<(), Refusal> {
    check_bytes(&field, raw.get())?;
    check_depth(field, raw, MAX_UNREAD_DEPTH)
}

/// A part of what a message says.
pub(super) fn check_bytes(field: impl fmt::Display, text: &str) -> Result<(), Refusal> {
    if text.len() > MAX_CONTENT_BYTES {
        return Err(Refusal::field(
            field,
            format_args!("has more than {} MiB", MAX_CONTENT_BYTES >> 20),
        ));
    }
    Ok(())
}

fn check_depth(field: impl fmt::Display, raw: &RawValue, max: usize) -> Result<(), Refusal> {
    if depth(raw.get()) > max {
        return Err(Refusal::field(
            field,
            format_args!("is nested more than {max} deep"),
        ));
    }
    Ok(())
}

/// The bytes of JSON, but for white space between its values.
fn bytes_without_space(raw: &RawValue) -> usize {
    let (mut bytes, mut in_string, mut escaped) = (0, false, false);
    for byte in raw.get().bytes() {
        bytes += usize::from(in_string || !byte.is_ascii_whitespace());
        if in_string {
            in_string = byte != b'"' || escaped;
            escaped = byte == b'\\' && !escaped;
        } else {
            in_string = byte == b'"';
        }
    }
    bytes
}

/// What a title in a foreign file becomes: one line, cut where ours end.
pub(super) fn clean_title(title: &str) -> Option<String> {
    let line: String = title
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_TITLE_CHARS)
        .collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).expect("json")
    }

    #[test]
    fn bounds_lists_while_they_are_parsed() {
        assert_eq!(parse::<Bounded<u8, 2>>("[1,2]").expect("two").0, [1, 2]);
        let refusal = parse::<Bounded<u8, 2>>("[1,2,3]").expect_err("three").to_string();
        assert!(refusal.contains("more than 2 items"), "{refusal}");
    }

    #[test]
    fn measures_metadata_without_white_space() {
        let spaced = raw(&format!(r#"{{ "a b\"" :{}"x" }}"#, " ".repeat(20_000)));
        assert_eq!(bytes_without_space(&spaced), r#"{"a b\"":"x"}"#.len());
        assert!(metadata("m", Some(&spaced)).is_ok());
        let large = raw(&format!(r#"{{"a":"{}"}}"#, "x".repeat(11_000)));
        assert!(metadata("m", Some(&large)).is_err());
        assert!(metadata("m", Some(&raw("[]"))).is_err());
        assert!(metadata("m", Some(&raw("{ }"))).expect("empty").is_none());
        let deep = raw(&format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200)));
        assert!(metadata("m", Some(&deep)).is_err());
    }

    #[test]
    fn cleans_titles() {
        assert_eq!(clean_title("a\u{7}b\n").as_deref(), Some("a b"));
        assert_eq!(
            clean_title(&"é".repeat(300)).map(|t| t.chars().count()),
            Some(200)
        );
        assert_eq!(clean_title(" \n"), None);
    }
}
