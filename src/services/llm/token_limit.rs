//! The most tokens that an answer may have: what requests call it, and how it is read, lowered and renamed.

use serde_json::value::RawValue;

use crate::utils::json::RawObject;

/// OpenAI's two names for it.
const NAMES: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// What a request that names none is given.
const USUAL: &str = "max_tokens";

/// A limit that is no whole number from 1 on, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotALimit(pub &'static str);

/// The limit of a request: the higher one, should it give both. One that is null says nothing, and is taken out.
///
/// # Errors
/// If one is no whole number from 1 on: what servers make of it nobody knows.
pub fn read(body: &mut RawObject) -> Result<Option<u64>, NotALimit> {
    let mut limit = None;
    for name in NAMES {
        let Some(value) = body.get(name).filter(|_| body.has(name)) else {
            body.remove(name);
            continue;
        };
        let given: Option<u64> = serde_json::from_str(value.get()).ok();
        limit = limit.max(Some(given.filter(|given| *given > 0).ok_or(NotALimit(name))?));
    }
    Ok(limit)
}

/// Lowers what a request that was [read](read) gives to this limit; if it gives none, it does from now on.
///
/// # Errors
/// None: a number can be written as JSON.
pub fn lower(body: &mut RawObject, limit: u64) -> Result<(), serde_json::Error> {
    let given: Vec<_> = NAMES.into_iter().filter(|name| body.has(name)).collect();
    if given.is_empty() {
        return body.set_value(USUAL, &limit);
    }
    for name in given {
        let before = body
            .get(name)
            .and_then(|value| serde_json::from_str(value.get()).ok());
        body.set_value(name, &before.unwrap_or(limit).min(limit))?;
    }
    Ok(())
}

/// Gives the limit under this name alone. Where both are given, the wanted one's value counts.
pub fn rename(body: &mut RawObject, wanted: &'static str) {
    let other = NAMES.into_iter().find(|name| *name != wanted);
    let given: Option<Box<RawValue>> = other.and_then(|other| body.remove(other));
    if let Some(value) = given
        && !body.has(wanted)
    {
        body.set(wanted, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> RawObject {
        serde_json::from_str(json).expect("an object")
    }

    fn written(body: &RawObject) -> String {
        serde_json::to_string(body).expect("JSON")
    }

    #[test]
    fn the_higher_one_is_read_and_null_is_none() {
        for (json, limit, left) in [
            (r#"{}"#, None, r#"{}"#),
            (r#"{"max_tokens":7}"#, Some(7), r#"{"max_tokens":7}"#),
            (
                r#"{"max_tokens":7,"max_completion_tokens":9}"#,
                Some(9),
                r#"{"max_tokens":7,"max_completion_tokens":9}"#,
            ),
            (
                r#"{"max_tokens":7,"max_completion_tokens":null}"#,
                Some(7),
                r#"{"max_tokens":7}"#,
            ),
            (r#"{"max_tokens":null}"#, None, r#"{}"#),
        ] {
            let mut body = object(json);
            assert_eq!(read(&mut body), Ok(limit), "{json}");
            assert_eq!(written(&body), left);
        }
        for bad in [
            "0",
            "-1",
            "1.5",
            "100000.0",
            r#""100""#,
            "true",
            "[]",
            "99999999999999999999",
        ] {
            let mut body = object(&format!(r#"{{"max_tokens":10,"max_completion_tokens":{bad}}}"#));
            assert_eq!(read(&mut body), Err(NotALimit("max_completion_tokens")), "{bad}");
        }
    }

    #[test]
    fn all_that_is_given_is_lowered() {
        for (json, expected) in [
            (r#"{}"#, r#"{"max_tokens":8}"#),
            (r#"{"max_completion_tokens":9}"#, r#"{"max_completion_tokens":8}"#),
            (
                r#"{"max_tokens":7,"max_completion_tokens":9}"#,
                r#"{"max_tokens":7,"max_completion_tokens":8}"#,
            ),
        ] {
            let mut body = object(json);
            lower(&mut body, 8).expect("a number");
            assert_eq!(written(&body), expected);
        }
    }

    #[test]
    fn a_limit_that_is_null_gives_way() {
        let mut body = object(r#"{"max_tokens":7,"max_completion_tokens":null}"#);
        rename(&mut body, "max_completion_tokens");
        assert_eq!(written(&body), r#"{"max_completion_tokens":7}"#);
    }
}
