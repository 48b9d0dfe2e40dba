//! From a status and an error body to a kind of error: the one place that knows how LiteLLM and its like say what.

use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use super::body::ErrorBody;
use super::{ModelError, ModelErrorKind, TimeoutStage};

/// `type`s by which a refused key is told when the status is not 401 or 403.
const KEY_REFUSED: &[&str] = &[
    "no_db_connection",
    "expired_key",
    "token_not_found_in_db",
    "auth_error",
    "authentication_error",
    "invalid_api_key",
];

/// Words by which a model, or LiteLLM for it, says that the messages are too long.
const CONTEXT_EXCEEDED: &[&str] = &[
    "contextwindowexceedederror",
    "context_length_exceeded",
    "exceed_context_size_error",
    "maximum context length",
];

impl ModelError {
    /// The error that an HTTP answer other than 2xx stands for. `model` is the one that was asked for; `stage` is
    /// the one that a time limit of the model server counts as.
    #[must_use]
    pub fn from_answer(
        status: u16,
        body: &[u8],
        retry_after: Option<Duration>,
        model: &str,
        stage: TimeoutStage,
    ) -> Self {
        let body = ErrorBody::parse(body);
        from_parts(status, &body, model, stage).with_retry_after(retry_after)
    }

    /// The error that stands in the place of a chunk, or in the body of a 200.
    #[must_use]
    pub fn from_error_value(error: &RawValue, model: &str, stage: TimeoutStage) -> Self {
        let value: Value = serde_json::from_str(error.get()).unwrap_or_default();
        let body = ErrorBody::from_error_value(&value);
        let status = body.status.unwrap_or_else(|| implied_status(&body));
        from_parts(status, &body, model, stage)
    }
}

fn from_parts(status: u16, body: &ErrorBody, model: &str, stage: TimeoutStage) -> ModelError {
    ModelError::new(classify(status, body, model, stage), &body.message).with_status(status)
}

/// The table of upstream errors. What the body says goes before what the status says, because the versions of
/// LiteLLM agree on types more than on statuses.
fn classify(status: u16, body: &ErrorBody, model: &str, stage: TimeoutStage) -> ModelErrorKind {
    let message = body.message.to_lowercase();
    let called = |name: &str| body.kind.as_deref() == Some(name) || body.code.as_deref() == Some(name);
    let client_error = (400..500).contains(&status);

    if client_error && called("budget_exceeded") {
        return ModelErrorKind::BudgetExceeded;
    }
    if client_error
        && body
            .kind
            .as_deref()
            .is_some_and(|kind| kind.ends_with("model_access_denied"))
    {
        return ModelErrorKind::AccessDenied;
    }
    match status {
        401 | 403 => ModelErrorKind::AuthFailed,
        400 | 422 if KEY_REFUSED.iter().any(|name| called(name)) => ModelErrorKind::AuthFailed,
        400 | 422 if called("model_not_found") || message.contains("invalid model name") => {
            ModelErrorKind::ModelNotFound
        }
        400 | 413 | 422
            if CONTEXT_EXCEEDED
                .iter()
                .any(|words| message.contains(words) || called(words)) =>
        {
            ModelErrorKind::ContextLength
        }
        402 => ModelErrorKind::BudgetExceeded,
        404 if called("model_not_found") || names_model(body, &message, model) => {
            ModelErrorKind::ModelNotFound
        }
        404 | 405 => ModelErrorKind::WrongAddress,
        429 if message.contains("no deployments available") => ModelErrorKind::Unavailable,
        429 => ModelErrorKind::RateLimited,
        408 | 504 => ModelErrorKind::Timeout(stage),
        503 | 529 => ModelErrorKind::Unavailable,
        400..500 => ModelErrorKind::Rejected,
        300..400 => ModelErrorKind::WrongAddress,
        _ => ModelErrorKind::Failed,
    }
}

/// Whether a 404 is about the model, and not about the path. Pages and bare texts come from something else than a
/// model server.
fn names_model(body: &ErrorBody, message: &str, model: &str) -> bool {
    body.structured
        && ((!model.is_empty() && message.contains(&model.to_lowercase()))
            || (message.contains("model")
                && ["not exist", "not found", "notfound"]
                    .iter()
                    .any(|words| message.contains(words))))
}

/// The status that an error in a stream would have had, where it does not say so itself.
fn implied_status(body: &ErrorBody) -> u16 {
    let words = [body.kind.as_deref(), body.code.as_deref()];
    let called = |part: &str| words.iter().flatten().any(|word| word.contains(part));
    if called("rate_limit") || called("throttling") {
        429
    } else if called("overloaded") || called("unavailable") {
        503
    } else if called("timeout") {
        504
    } else if called("model_access_denied") || called("permission") {
        403
    } else if called("auth") || called("invalid_api_key") || called("expired_key") {
        401
    } else if called("not_found") {
        404
    } else if called("invalid_request") || called("budget_exceeded") || called("context_length_exceeded") {
        400
    } else {
        500
    }
}
