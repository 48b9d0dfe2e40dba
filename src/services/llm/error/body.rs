//! Reading the error bodies of model servers: OpenAI's error object, the `detail` of Python servers, plain text,
//! and either of the first two in a stream of events.

use serde_json::Value;

use crate::utils::sse::SseParser;

/// A plain text longer than this is a page, not a message.
const MAX_PLAIN_TEXT: usize = 1_000;

/// What an error body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    /// The message; empty if there is none that a person could read.
    pub(super) message: String,
    /// `type`, in lower case.
    pub(super) kind: Option<String>,
    /// `code` where it is a word, in lower case.
    pub(super) code: Option<String>,
    /// `code` where it is an HTTP status.
    pub(super) status: Option<u16>,
    /// Whether it was JSON of a shape that is known.
    pub(super) structured: bool,
}

impl ErrorBody {
    /// Reads the body of an answer that is not a success.
    pub(super) fn parse(body: &[u8]) -> Self {
        Self::from_json(body)
            .or_else(|| Self::from_events(body))
            .unwrap_or_else(|| Self::from_text(body))
    }

    /// Reads what stands under `error`.
    pub(super) fn from_error_value(error: &Value) -> Self {
        let word = |name: &str| {
            error[name]
                .as_str()
                .filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("none"))
                .map(str::to_ascii_lowercase)
        };
        let code = word("code");
        let number = match &error["code"] {
            Value::Number(number) => number.as_u64(),
            _ => code.as_deref().and_then(|code| code.parse().ok()),
        };
        let status = number
            .and_then(|number| u16::try_from(number).ok())
            .filter(|status| (400..600).contains(status));
        Self {
            message: message_in(error),
            kind: word("type"),
            code: code.filter(|_| number.is_none()),
            status,
            structured: true,
        }
    }

    fn from_json(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let object = value.as_object()?;
        if let Some(error) = object.get("error").filter(|error| !error.is_null()) {
            return Some(Self::from_error_value(error));
        }
        let message = ["detail", "message"]
            .iter()
            .find_map(|name| object.get(*name))
            .map(message_in)
            .unwrap_or_default();
        let inner = object
            .get("detail")
            .filter(|detail| detail.is_object())
            .unwrap_or(&value);
        Some(Self {
            message,
            ..Self::from_error_value(inner)
        })
    }

    fn from_events(body: &[u8]) -> Option<Self> {
        let mut parser = SseParser::new();
        parser.push(body);
        // The last event may lack its blank line where the server gave up.
        parser.push(b"\n\n");
        while let Some(event) = parser.next_event().ok()? {
            if let Some(found) = Self::from_json(&event) {
                return Some(found);
            }
        }
        None
    }

    fn from_text(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        let readable = !text.starts_with('<') && text.len() <= MAX_PLAIN_TEXT;
        Self {
            message: if readable { text.to_owned() } else { String::new() },
            ..Self::default()
        }
    }
}

/// The text for people in a value: itself, its `message`, `error` or `msg`, or those of a list's items.
fn message_in(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let texts: Vec<_> = items
                .iter()
                .map(message_in)
                .filter(|text| !text.is_empty())
                .collect();
            texts.join("; ")
        }
        Value::Object(object) => ["message", "error", "msg", "detail"]
            .iter()
            .find_map(|name| object.get(*name).filter(|inner| !inner.is_null()))
            .map(message_in)
            .unwrap_or_default(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        ErrorBody::parse(body.as_bytes()).message
    }

    #[test]
    fn reads_the_error_object_with_any_code() {
        for (code, status, word) in [
            (r#""429""#, Some(429), None),
            ("429", Some(429), None),
            ("null", None, None),
            (r#""None""#, None, None),
            (
                r#""Context_Length_Exceeded""#,
                None,
                Some("context_length_exceeded"),
            ),
            ("7", None, None),
            ("-1.5", None, None),
            ("{}", None, None),
        ] {
            let body = format!(r#"{{"error":{{"message":"m","type":"None","param":null,"code":{code}}}}}"#);
            let read = ErrorBody::parse(body.as_bytes());
            assert_eq!((read.status, read.code.as_deref()), (status, word), "{code}");
            assert_eq!(
                (read.message.as_str(), read.kind, read.structured),
                ("m", None, true),
                "{code}"
            );
        }
    }

    #[test]
    fn finds_the_message_in_every_shape() {
        for (body, expected) in [
            (r#"{"error":"boom"}"#, "boom"),
            (r#"{"error":{"message":null}}"#, ""),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            (r#"{"detail":{"error":"no db"}}"#, "no db"),
            (r#"{"detail":{"error":{"message":"deep"}}}"#, "deep"),
            (r#"{"detail":[{"loc":["body"],"msg":"a"},{"msg":"b"}]}"#, "a; b"),
            (r#"{"message":"m"}"#, "m"),
            ("{}", ""),
            ("[1]", "[1]"),
            ("404 page not found\n", "404 page not found"),
            ("<html><body>nginx</body></html>", ""),
            ("", ""),
            (
                "data: {\"error\":{\"message\":\"in a stream\",\"code\":\"500\"}}\n\ndata: [DONE]\n\n",
                "in a stream",
            ),
            (": ping\r\n\r\ndata: {\"detail\":\"cut\"}", "cut"),
        ] {
            assert_eq!(message(body), expected, "{body}");
        }
        assert_eq!(message(&"x".repeat(MAX_PLAIN_TEXT + 1)), "");
    }
}
