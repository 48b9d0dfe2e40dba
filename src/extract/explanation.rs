//! What a client is told about a value that cannot be what it stands for.

/// Longest explanation, in characters: it may quote the value.
const MAX_LENGTH: usize = 300;

/// What is wrong with a value, from serde's words for it.
pub(super) fn explanation(text: &str) -> String {
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
    fn other_explanations_are_shortened() {
        let long = "x".repeat(400);
        assert_eq!(
            explanation(&long),
            format!("is not valid: {}", "x".repeat(MAX_LENGTH))
        );
    }
}
