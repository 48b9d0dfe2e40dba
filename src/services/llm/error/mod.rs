//! Why a model gave no answer, or no whole one.
//!
//! - [`ModelError`], [`ModelErrorKind`]: what happened, and whether asking again may help
//! - `body`: reading the error bodies of model servers
//! - `classify`: from a status and a body to a kind
//! - `scrub`: making a model's message fit for a user's eyes
//!
//! Invariants: what a user is shown holds no address, key or inner message of the model server; only what the
//! model says about the request itself ([`ModelErrorKind::Rejected`]) is passed on, scrubbed and bounded. That
//! message may quote the prompt, so it is not printed: `Display` is for the log and leaves it out.

mod body;
mod classify;
mod scrub;

use std::fmt;
use std::time::Duration;

use crate::utils::errors::{ApiError, ErrorCode};

/// Which of the time limits was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeoutStage {
    /// Making the connection.
    Connect,
    /// From the request to the first chunk.
    FirstToken,
    /// Between two chunks.
    Idle,
    /// The whole answer.
    Total,
}

impl TimeoutStage {
    /// The name in `details.stage`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::FirstToken => "first_token",
            Self::Idle => "idle",
            Self::Total => "total",
        }
    }
}

/// What went wrong with a model call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelErrorKind {
    /// The budget that the model server keeps is used up.
    BudgetExceeded,
    /// The model server refused the key.
    AuthFailed,
    /// The key may not use this model.
    AccessDenied,
    /// There is no such model.
    ModelNotFound,
    /// What answered is no model server: the base URL is wrong.
    WrongAddress,
    /// The messages do not fit the model.
    ContextLength,
    /// The model refused the request; its message says why.
    Rejected,
    /// Too many requests, for the model server or for the provider behind it.
    RateLimited,
    /// The model server failed, or answered nothing.
    Failed,
    /// The model server cannot be reached, or has nowhere to send the request.
    Unavailable,
    /// A time limit passed, one of ours or one of the model server's.
    Timeout(TimeoutStage),
    /// The connection was cut after the first chunk.
    Interrupted,
    /// What arrived is not a chunk, or not a completion.
    Garbled,
    /// An event or a completion is larger than is read.
    TooLarge,
}

impl ModelErrorKind {
    /// A short name, for logs and as the metric label `result`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BudgetExceeded => "budget_exceeded",
            Self::AuthFailed => "auth_failed",
            Self::AccessDenied => "access_denied",
            Self::ModelNotFound => "model_not_found",
            Self::WrongAddress => "wrong_address",
            Self::ContextLength => "context_length",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate_limited",
            Self::Failed => "failed",
            Self::Unavailable => "unavailable",
            Self::Timeout(_) => "timeout",
            Self::Interrupted => "interrupted",
            Self::Garbled => "garbled",
            Self::TooLarge => "too_large",
        }
    }

    /// The code that a client of ours sees.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::BudgetExceeded => ErrorCode::UpstreamBudgetExceeded,
            Self::AuthFailed => ErrorCode::UpstreamAuthFailed,
            Self::AccessDenied => ErrorCode::ModelAccessDenied,
            Self::ModelNotFound => ErrorCode::ModelNotFound,
            Self::ContextLength => ErrorCode::ContextLengthExceeded,
            Self::Rejected => ErrorCode::UpstreamRejected,
            Self::RateLimited => ErrorCode::UpstreamRateLimited,
            Self::WrongAddress | Self::Failed | Self::Garbled | Self::TooLarge => ErrorCode::UpstreamError,
            Self::Unavailable => ErrorCode::UpstreamUnavailable,
            Self::Timeout(_) => ErrorCode::UpstreamTimeout,
            Self::Interrupted => ErrorCode::StreamInterrupted,
        }
    }

    /// What a user is told.
    const fn public_message(self) -> &'static str {
        match self {
            Self::BudgetExceeded => "The budget at the model server is used up.",
            Self::AuthFailed => "The model server did not accept this service's key.",
            Self::AccessDenied => "This model is not open to you.",
            Self::ModelNotFound => "There is no such model.",
            Self::ContextLength => "The conversation is too long for this model.",
            Self::Rejected => "The model refused the request.",
            Self::RateLimited => "The model is receiving too many requests. Try again shortly.",
            Self::WrongAddress | Self::Failed => "The model server failed to answer.",
            Self::Garbled => "The model server sent something that cannot be read.",
            Self::TooLarge => "The model server sent more than can be handled.",
            Self::Unavailable => "The model is not available at the moment.",
            Self::Timeout(_) => "The model took too long to answer.",
            Self::Interrupted => "The answer ended before it was complete.",
        }
    }
}

/// A model call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelError {
    kind: ModelErrorKind,
    /// What happened: for the log, except where it is what the model says about the request.
    message: String,
    /// The HTTP status, or the status that an error in a stream stands for. `None`: no answer came.
    status: Option<u16>,
    retry_after: Option<Duration>,
    /// It came too late to be repeated.
    is_final: bool,
}

impl ModelError {
    /// An error of this kind. The message is for the log, and scrubbed here.
    #[must_use]
    pub fn new(kind: ModelErrorKind, message: &str) -> Self {
        Self {
            kind,
            message: scrub::scrub(message),
            status: None,
            retry_after: None,
            is_final: false,
        }
    }

    /// A time limit of ours that passed.
    #[must_use]
    pub fn timeout(stage: TimeoutStage) -> Self {
        Self::new(ModelErrorKind::Timeout(stage), "our own time limit passed")
    }

    /// Says that it came too late for the call to be repeated.
    #[must_use]
    pub const fn too_late(mut self) -> Self {
        self.is_final = true;
        self
    }

    /// Notes the status that came with it.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Notes when asking again may help.
    #[must_use]
    pub const fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ModelErrorKind {
        self.kind
    }

    /// Whether the model had been at work, so that its provider asks for money: it was cut off, or said too much or for too
    /// long.
    #[must_use]
    pub const fn came_after_work(&self) -> bool {
        self.is_final
            || matches!(
                self.kind,
                ModelErrorKind::Interrupted
                    | ModelErrorKind::Garbled
                    | ModelErrorKind::TooLarge
                    | ModelErrorKind::Timeout(TimeoutStage::Idle | TimeoutStage::Total)
            )
    }

    /// When the model server says that asking again may help.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the same request may be sent again as long as no chunk of an answer has been shown.
    #[must_use]
    pub const fn retryable_before_first_byte(&self) -> bool {
        if self.is_final {
            return false;
        }
        match self.kind {
            ModelErrorKind::RateLimited
            | ModelErrorKind::Failed
            | ModelErrorKind::Unavailable
            | ModelErrorKind::Timeout(_)
            | ModelErrorKind::Interrupted
            | ModelErrorKind::Garbled => true,
            // A too large answer was paid for, and would be as large again.
            ModelErrorKind::TooLarge
            | ModelErrorKind::BudgetExceeded
            | ModelErrorKind::AuthFailed
            | ModelErrorKind::AccessDenied
            | ModelErrorKind::ModelNotFound
            | ModelErrorKind::WrongAddress
            | ModelErrorKind::ContextLength
            | ModelErrorKind::Rejected => false,
        }
    }

    /// Whether it speaks for the model server being down: no connection, a time limit, a 5xx.
    #[must_use]
    pub const fn counts_against_breaker(&self) -> bool {
        match self.kind {
            ModelErrorKind::Timeout(_) => true,
            ModelErrorKind::Failed | ModelErrorKind::Unavailable => match self.status {
                Some(status) => status >= 500,
                None => true,
            },
            _ => false,
        }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if let ModelErrorKind::Timeout(stage) = self.kind {
            write!(f, " ({})", stage.as_str())?;
        }
        if let Some(status) = self.status {
            write!(f, ", status {status}")?;
        }
        match self.kind {
            ModelErrorKind::Rejected | ModelErrorKind::ContextLength => Ok(()),
            _ if self.message.is_empty() => Ok(()),
            _ => write!(f, ": {}", self.message),
        }
    }
}

impl std::error::Error for ModelError {}

impl From<ModelError> for ApiError {
    fn from(error: ModelError) -> Self {
        let public = error.kind.public_message();
        let mut api = match error.kind {
            ModelErrorKind::Rejected if !error.message.is_empty() => Self::new(
                error.kind.code(),
                format!("The model refused the request: {}", error.message),
            ),
            _ => Self::new(error.kind.code(), public),
        };
        if let ModelErrorKind::Timeout(stage) = error.kind {
            api = api.with_detail("stage", stage.as_str());
        }
        if matches!(
            error.kind,
            ModelErrorKind::ModelNotFound | ModelErrorKind::AccessDenied
        ) {
            api = api.with_param("model");
        }
        if let Some(after) = error.retry_after {
            api = api.with_retry_after(after);
        }
        api.with_source(error)
    }
}

#[cfg(test)]
mod tests;
