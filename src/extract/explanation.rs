//! What a client is told about a value that cannot be what it stands for.

/// Longest explanation, in characters: it may quote the value.
const MAX_LENGTH: usize = 300;

const WHOLE_NUMBER: &str = "must be a whole number";
const TIME: &str = "must be a time as RFC 3339 writes it, such as 2026-01-31T12:00:00Z";

/// What the parsers of values say, which serde passes on, and what it means to who sent the value.
const WORDS: [(&str, &str); 8] = [
    ("invalid digit found in string", WHOLE_NUMBER),
    ("cannot parse integer from empty string", WHOLE_NUMBER),
    ("number too large to fit in target type", "is too large a number"),
    ("number too small to fit in target type", "is too small a number"),
    ("premature end of input", TIME),
    ("input contains invalid characters", TIME),
    ("input is out of range", TIME),
    ("trailing input", TIME),
];

/// What is wrong with a value, from serde's words for it.
pub(super) fn explanation(text: &str) -> String {
    if let Some((_, meaning)) = WORDS.iter().find(|(words, _)| text.starts_with(words)) {
        return (*meaning).to_owned();
    }
    if text.starts_with("UUID parsing failed") {
        return "must be a UUID".to_owned();
    }
    if let Some(names) = allowed_names(text) {
        return format!("must be one of {names}");
    }
    let shortened: String = text.chars().take(MAX_LENGTH).collect();
    format!("is not valid: {shortened}")
}

/// The names that an enum has, where the value is none of them.
fn allowed_names(text: &str) -> Option<String> {
    let value = text.strip_prefix("unknown variant `")?;
    // The value itself may hold anything, so what follows it is looked for from the end.
    let (_, names) = value.rsplit_once("`, expected ")?;
    let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Two {
        Up,
        Down,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Three {
        Json,
        Csv,
        Markdown,
    }

    fn refusal<'de, T: Deserialize<'de> + std::fmt::Debug>(value: &'de str) -> String {
        let error = T::deserialize(StrDeserializer::<Error>::new(value)).expect_err("no such name");
        explanation(&error.to_string())
    }

    #[test]
    fn names_are_listed() {
        assert_eq!(refusal::<Three>("xml"), "must be one of json, csv, markdown");
        assert_eq!(refusal::<Two>("left"), "must be one of up, down");
        assert_eq!(refusal::<Two>("a`, expected `b"), "must be one of up, down");
        assert!(matches!(
            Two::deserialize(StrDeserializer::<Error>::new("up")),
            Ok(Two::Up)
        ));
    }

    #[test]
    fn parsers_are_translated() {
        for (error, meaning) in [
            (
                "x".parse::<u32>().map(drop).map_err(|error| error.to_string()),
                WHOLE_NUMBER,
            ),
            (
                "".parse::<u32>().map(drop).map_err(|error| error.to_string()),
                WHOLE_NUMBER,
            ),
            (
                "9999999999"
                    .parse::<u32>()
                    .map(drop)
                    .map_err(|error| error.to_string()),
                "is too large a number",
            ),
            (
                "-999".parse::<i8>().map(drop).map_err(|error| error.to_string()),
                "is too small a number",
            ),
            (time("2026-01-01"), TIME),
            (time("1700000000"), TIME),
            (time("2026-13-01T00:00:00Z"), TIME),
            (time("2026-01-01T00:00:00Z!"), TIME),
            (
                serde_json::from_str::<uuid::Uuid>("\"z\"")
                    .map(drop)
                    .map_err(|error| error.to_string()),
                "must be a UUID",
            ),
        ] {
            assert_eq!(explanation(&error.expect_err("a refusal")), meaning);
        }
    }

    fn time(text: &str) -> Result<(), String> {
        let time = text.parse::<chrono::DateTime<chrono::Utc>>();
        time.map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn other_explanations_are_shortened() {
        let long = "x".repeat(400);
        assert_eq!(
            explanation(&long),
            format!("is not valid: {}", "x".repeat(MAX_LENGTH))
        );
    }
}
