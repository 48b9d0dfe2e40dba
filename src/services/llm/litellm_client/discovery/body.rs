//! The rows of a list, whatever it is wrapped in.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

/// The fields of a JSON object, unread. Of a doubled name the last value counts.
pub(super) type RawFields<'a> = HashMap<String, &'a RawValue>;

/// What a list may stand under.
const WRAPPERS: [&str; 2] = ["data", "models"];

/// What a row may be named by.
const NAMES: [&str; 4] = ["id", "model_name", "model_group", "name"];

/// One row of a list.
pub(super) struct Row<'a> {
    /// The name that it stands under, where the list is an object of rows.
    pub(super) key: Option<String>,
    /// Its fields.
    pub(super) fields: RawFields<'a>,
}

/// The text of a list, made readable: no JSON parser takes a bare `NaN`, which Python writes, nor broken UTF-8.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => quote_non_finite(text),
        Cow::Owned(text) => Cow::Owned(quote_non_finite(&text).into_owned()),
    }
}

/// The rows of a list: bare, or under `data` or `models`. An object instead of a list is a single row if it has a name,
/// else one row for each of its fields. What is no object is no row, and counted as none; nothing at all is an empty
/// list.
///
/// # Errors
/// If it is no JSON.
pub(super) fn rows(text: &str) -> Result<(Vec<Row<'_>>, u64), serde_json::Error> {
    let whole: &RawValue = serde_json::from_str(text)?;
    let wrapped: Option<RawFields<'_>> = serde_json::from_str(whole.get()).ok();
    let list = match &wrapped {
        Some(fields) => WRAPPERS.iter().find_map(|name| fields.get(*name).copied()),
        None => Some(whole).filter(|whole| whole.get().starts_with('[')),
    };
    let Some(list) = list else {
        return Err(serde::de::Error::custom("neither a list nor an object with one"));
    };
    if let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(list.get()) {
        return Ok(collect(values.into_iter().map(|value| (None, value))));
    }
    let Ok(fields) = serde_json::from_str::<RawFields<'_>>(list.get()) else {
        return Ok((Vec::new(), 0));
    };
    if NAMES.iter().any(|name| fields.contains_key(*name)) {
        let row = Row { key: None, fields };
        return Ok((vec![row], 0));
    }
    Ok(collect(fields.into_iter().map(|(key, value)| (Some(key), value))))
}

/// The rows among these values, and how many are none.
fn collect<'a>(values: impl Iterator<Item = (Option<String>, &'a RawValue)>) -> (Vec<Row<'a>>, u64) {
    let mut rows = Vec::new();
    let mut others = 0;
    for (key, value) in values {
        match serde_json::from_str(value.get()) {
            Ok(fields) => rows.push(Row { key, fields }),
            Err(_) => others += 1,
        }
    }
    (rows, others)
}

/// Puts quotes around `NaN`, `Infinity` and `-Infinity` outside of strings, so that they can be read and refused one by
/// one.
fn quote_non_finite(json: &str) -> Cow<'_, str> {
    if !json.contains("NaN") && !json.contains("Infinity") {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 64);
    let mut rest = json;
    while let Some(quote) = rest.find('"') {
        let (plain, string) = rest.split_at(quote);
        out.push_str(&quote_words(plain));
        let end = end_of_string(string);
        out.push_str(&string[..end]);
        rest = &string[end..];
    }
    out.push_str(&quote_words(rest));
    Cow::Owned(out)
}

fn quote_words(plain: &str) -> String {
    plain
        .replace("-Infinity", "Infinity")
        .replace("Infinity", "\"Infinity\"")
        .replace("NaN", "\"NaN\"")
}

/// Where the string ends that this text begins with: behind its closing quote, or at the end of the text.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of `id` in each row, else the name that it stands under; and how many values are no rows.
    fn ids(json: &str) -> (Vec<String>, u64) {
        let (rows, others) = rows(json).expect("a list");
        let id = |row: Row<'_>| row.fields.get("id").map(|id| id.get().to_owned()).or(row.key);
        let mut ids: Vec<_> = rows.into_iter().filter_map(id).collect();
        ids.sort();
        (ids, others)
    }

    #[test]
    fn finds_the_rows_in_every_wrapping() {
        let two = vec!["1".to_owned(), "2".to_owned()];
        for json in [
            r#"[{"id":1},{"id":2}]"#,
            r#"{"object":"list","data":[{"id":1},{"id":2}]}"#,
            r#"{"models":[{"id":1},{"id":2}]}"#,
            r#"{"data":{"1":{"mode":"chat"},"2":{}}}"#,
        ] {
            assert_eq!(ids(json), (two.clone(), 0), "{json}");
        }
        assert_eq!(ids(r#"{"data":{"id":1,"mode":"chat"}}"#).0, ["1"]);
        assert_eq!(
            ids(r#"{"data":[{"id":1},null,"x",[],5]}"#),
            (vec!["1".to_owned()], 4)
        );
        for nothing in [
            r#"{"data":null}"#,
            r#"{"data":false}"#,
            r#"{"data":[]}"#,
            "[]",
            r#"{"data":{}}"#,
        ] {
            assert_eq!(ids(nothing), (Vec::new(), 0), "{nothing}");
        }
        for broken in ["", "<html>", r#"{"data":["#, "null", r#"{"detail":"Not Found"}"#] {
            assert!(rows(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn numbers_that_json_does_not_have_are_quoted() {
        for (given, readable) in [
            (r#"{"a":NaN,"b":[-Infinity]}"#, r#"{"a":"NaN","b":["Infinity"]}"#),
            (r#"{"NaN":"\"NaN","b":NaN}"#, r#"{"NaN":"\"NaN","b":"NaN"}"#),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"open":"NaN"#, r#"{"open":"NaN"#),
        ] {
            assert_eq!(text(given.as_bytes()), readable);
        }
        assert_eq!(text(b"[\"\xff\"]"), "[\"\u{fffd}\"]");
    }
}
