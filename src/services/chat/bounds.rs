//! What bounds the cost of an answer, as its request says it.

use crate::services::billing::{InputSize, unbounded_by};
use crate::services::llm::token_limit::{self, NotALimit};
use crate::utils::errors::ApiError;
use crate::utils::json::RawObject;

/// Answers that may be asked for at once, as OpenAI bounds them.
const MAX_CHOICES: u64 = 128;

/// The bounds of a request for an OpenAI-compatible server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The most tokens of each choice.
    pub(super) max_tokens: Option<u64>,
    /// How many answers are asked for.
    pub(super) choices: u64,
    /// How much the messages are.
    pub(super) messages: InputSize,
    /// How much what else describes the answer.
    pub(super) beside: InputSize,
    /// A field by which it has no bound.
    pub(super) unbounded_by: Option<&'static str>,
}

impl Bounds {
    /// Reads them from a request. Limits that are null are taken out.
    ///
    /// # Errors
    /// Limits and numbers of choices that are none: model servers differ in what they make of them.
    pub(super) fn read(body: &mut RawObject) -> Result<Self, ApiError> {
        let max_tokens = token_limit::read(body)
            .map_err(|NotALimit(name)| ApiError::invalid_field(name, "must be a whole number from 1 on"))?;
        let messages = body.get("messages").map(InputSize::of_messages);
        let mut beside = InputSize::default();
        for name in ["tools", "functions", "tool_choice", "response_format"] {
            if let Some(value) = body.get(name) {
                beside.add_definition(value);
            }
        }
        Ok(Self {
            max_tokens,
            choices: choices(body)?,
            messages: messages.unwrap_or_default(),
            beside,
            unbounded_by: unbounded_by(body),
        })
    }
}

fn choices(body: &RawObject) -> Result<u64, ApiError> {
    let Some(given) = body.get("n").filter(|_| body.has("n")) else {
        return Ok(1);
    };
    serde_json::from_str(given.get())
        .ok()
        .filter(|choices| (1..=MAX_CHOICES).contains(choices))
        .ok_or_else(|| {
            ApiError::invalid_field("n", format!("must be a whole number from 1 to {MAX_CHOICES}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Bounds, ApiError> {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}]{more}}}"#);
        Bounds::read(&mut serde_json::from_str(&body).expect("an object"))
    }

    #[test]
    fn bounds_are_read() {
        let bounds =
            read(r#","max_completion_tokens":9,"max_tokens":null,"n":3,"tools":[{"type":"function"}]"#);
        let bounds = bounds.expect("bounds");
        assert_eq!((bounds.max_tokens, bounds.choices), (Some(9), 3));
        assert_eq!(bounds.messages.messages, 1);
        assert_eq!(bounds.unbounded_by, None);
        let plain =
            read(r#","n":null,"service_tier":"auto","modalities":["text"],"models":null"#).expect("bounds");
        assert_eq!(
            (plain.max_tokens, plain.choices, plain.unbounded_by),
            (None, 1, None)
        );
    }

    #[test]
    fn what_is_no_bound_is_refused() {
        for bad in ["0", "-1", "129", "1.0", r#""2""#, "true"] {
            assert!(read(&format!(r#","n":{bad}"#)).is_err(), "{bad}");
        }
        assert!(read(r#","max_tokens":"many""#).is_err());
    }
}
