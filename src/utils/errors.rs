//! The one error type that becomes a response, and the closed list of its codes.
//!
//! A service has a small `thiserror` enum of its own and converts it with `From`; routers only use `?`.
//! `IntoResponse` is pure: it decides status and headers and leaves the error in the response's extensions,
//! where the request layer adds the request id, writes the body and logs it once.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

macro_rules! error_codes {
    ($($variant:ident $name:literal $status:ident $kind:ident $doc:literal,)+) => {
        /// Every code that an error answer can carry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $doc] $variant,)+
        }

        impl ErrorCode {
            /// All codes, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as clients see it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The HTTP status that goes with the code.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// The `error.type` that goes with the code, as OpenAI's clients know it.
            #[must_use]
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$variant => ErrorKind::$kind,)+ }
            }
        }
    };
}

/// `error.type`: the coarse class of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request itself is wrong.
    InvalidRequestError,
    /// Nobody, or nobody known, is signed in.
    AuthenticationError,
    /// The caller may not do this.
    PermissionError,
    /// There is no such thing, or it belongs to someone else.
    NotFoundError,
    /// The request does not fit the present state.
    ConflictError,
    /// Money has run out.
    InsufficientQuota,
    /// Too many requests.
    RateLimitError,
    /// The service or an upstream failed.
    ApiError,
    /// The service is too busy, draining or cut off from what it needs.
    OverloadedError,
    /// An upstream took too long.
    TimeoutError,
}

error_codes! {
    MalformedJson "MALFORMED_JSON" BAD_REQUEST InvalidRequestError "the body is not JSON",
    BadRequest "BAD_REQUEST" BAD_REQUEST InvalidRequestError "the request cannot be understood",
    MissingAuthHeader "MISSING_AUTH_HEADER" UNAUTHORIZED AuthenticationError "no credentials were sent",
    InvalidAuthFormat "INVALID_AUTH_FORMAT" UNAUTHORIZED AuthenticationError "the credentials are not a bearer token",
    InvalidToken "INVALID_TOKEN" UNAUTHORIZED AuthenticationError "the token is not one of ours",
    TokenExpired "TOKEN_EXPIRED" UNAUTHORIZED AuthenticationError "the token has expired",
    InvalidClaims "INVALID_CLAIMS" UNAUTHORIZED AuthenticationError "the token is valid but not for a user of this service",
    InvalidApiKey "INVALID_API_KEY" UNAUTHORIZED AuthenticationError "the API key is not one of ours",
    ApiKeyExpired "API_KEY_EXPIRED" UNAUTHORIZED AuthenticationError "the API key has expired",
    ApiKeyRevoked "API_KEY_REVOKED" UNAUTHORIZED AuthenticationError "the API key is revoked or inactive",
    InsufficientScope "INSUFFICIENT_SCOPE" FORBIDDEN PermissionError "the API key may not be used for this",
    AccountSuspended "ACCOUNT_SUSPENDED" FORBIDDEN PermissionError "the account is suspended",
    FeatureDisabled "FEATURE_DISABLED" FORBIDDEN PermissionError "the operator has switched it off",
    NotFound "NOT_FOUND" NOT_FOUND NotFoundError "there is no such route",
    ConversationNotFound "CONVERSATION_NOT_FOUND" NOT_FOUND NotFoundError "there is no such conversation",
    BranchNotFound "BRANCH_NOT_FOUND" NOT_FOUND NotFoundError "there is no such branch",
    MessageNotFound "MESSAGE_NOT_FOUND" NOT_FOUND NotFoundError "there is no such message",
    ModelNotFound "MODEL_NOT_FOUND" NOT_FOUND NotFoundError "there is no such model",
    ApiKeyNotFound "API_KEY_NOT_FOUND" NOT_FOUND NotFoundError "there is no such API key",
    StreamNotFound "STREAM_NOT_FOUND" NOT_FOUND NotFoundError "there is no such stream, or it is no longer kept",
    MethodNotAllowed "METHOD_NOT_ALLOWED" METHOD_NOT_ALLOWED InvalidRequestError "the route has no such method",
    PayloadTooLarge "PAYLOAD_TOO_LARGE" PAYLOAD_TOO_LARGE InvalidRequestError "the body is larger than allowed",
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" UNSUPPORTED_MEDIA_TYPE InvalidRequestError "the body is not declared as JSON",
    Conflict "CONFLICT" CONFLICT ConflictError "the request does not fit the present state",
    BranchIsActive "BRANCH_IS_ACTIVE" CONFLICT ConflictError "the active branch cannot be deleted",
    BranchIsMain "BRANCH_IS_MAIN" CONFLICT ConflictError "the main branch cannot be deleted",
    LimitReached "LIMIT_REACHED" CONFLICT ConflictError "a limit on how many may exist is reached",
    GenerationInProgress "GENERATION_IN_PROGRESS" CONFLICT ConflictError "an answer is being written there",
    IdempotencyConflict "IDEMPOTENCY_CONFLICT" CONFLICT ConflictError "this Idempotency-Key was used for another request",
    ValidationError "VALIDATION_ERROR" UNPROCESSABLE_ENTITY InvalidRequestError "a field is missing or out of bounds",
    ContextLengthExceeded "CONTEXT_LENGTH_EXCEEDED" UNPROCESSABLE_ENTITY InvalidRequestError "the conversation does not fit the model",
    UpstreamRejected "UPSTREAM_REJECTED" UNPROCESSABLE_ENTITY InvalidRequestError "the model server refused the request",
    InsufficientBalance "INSUFFICIENT_BALANCE" PAYMENT_REQUIRED InsufficientQuota "the user's budget is used up",
    UnpricedModel "UNPRICED_MODEL" PAYMENT_REQUIRED InsufficientQuota "the model has no price, and the user has a budget",
    UpstreamBudgetExceeded "UPSTREAM_BUDGET_EXCEEDED" PAYMENT_REQUIRED InsufficientQuota "the model server's budget is used up",
    ModelAccessDenied "MODEL_ACCESS_DENIED" FORBIDDEN PermissionError "the model is not open to this caller",
    RateLimitExceeded "RATE_LIMIT_EXCEEDED" TOO_MANY_REQUESTS RateLimitError "too many requests or streams",
    UpstreamRateLimited "UPSTREAM_RATE_LIMITED" TOO_MANY_REQUESTS RateLimitError "the model server limits us",
    InternalError "INTERNAL_ERROR" INTERNAL_SERVER_ERROR ApiError "a fault of ours",
    UpstreamError "UPSTREAM_ERROR" BAD_GATEWAY ApiError "the model server failed or answered nonsense",
    UpstreamAuthFailed "UPSTREAM_AUTH_FAILED" BAD_GATEWAY ApiError "the model server refused our key",
    UpstreamUnavailable "UPSTREAM_UNAVAILABLE" SERVICE_UNAVAILABLE OverloadedError "the model server cannot be reached",
    Overloaded "OVERLOADED" SERVICE_UNAVAILABLE OverloadedError "too much is going on at once",
    Draining "DRAINING" SERVICE_UNAVAILABLE OverloadedError "this instance is about to stop",
    StoreUnavailable "STORE_UNAVAILABLE" SERVICE_UNAVAILABLE OverloadedError "the database does not answer",
    UpstreamTimeout "UPSTREAM_TIMEOUT" GATEWAY_TIMEOUT TimeoutError "the model server took too long",
    RequestTimeout "REQUEST_TIMEOUT" GATEWAY_TIMEOUT TimeoutError "the request took longer than it may",
    StreamInterrupted "STREAM_INTERRUPTED" SERVICE_UNAVAILABLE ApiError "the answer ended before it was complete",
}

impl ErrorCode {
    /// How long a client should wait where nothing better is known; `None` where waiting does not help.
    const fn default_retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimitExceeded
            | Self::UpstreamRateLimited
            | Self::UpstreamUnavailable
            | Self::Overloaded
            | Self::StoreUnavailable
            | Self::StreamInterrupted => Some(Duration::from_secs(1)),
            Self::Draining => Some(Duration::from_secs(5)),
            _ => None,
        }
    }

    /// Whether the same request may succeed later without being changed.
    #[must_use]
    pub fn retryable(self) -> bool {
        self.default_retry_after().is_some()
            || matches!(
                self,
                Self::UpstreamError | Self::UpstreamTimeout | Self::RequestTimeout
            )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as the outside sees it, with its cause for the log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiError(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: ErrorCode,
    status: StatusCode,
    message: Cow<'static, str>,
    param: Option<Cow<'static, str>>,
    details: Map<String, Value>,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl ApiError {
    /// An error with the status and type of its code.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            code,
            status: code.status(),
            message: message.into(),
            param: None,
            details: Map::new(),
            retry_after: code.default_retry_after(),
            headers: Vec::new(),
            source: None,
        }))
    }

    /// A fault of ours: the cause goes to the log, never into the answer.
    #[must_use]
    pub fn internal(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::new(ErrorCode::InternalError, "Something went wrong on our side.").with_source(cause)
    }

    /// A 422 about one field.
    #[must_use]
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(field, message);
        errors.into_error()
    }

    fn edit(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Names the request field that the error is about.
    #[must_use]
    pub fn with_param(self, param: impl Into<Cow<'static, str>>) -> Self {
        self.edit(|inner| inner.param = Some(param.into()))
    }

    /// Adds one entry to `details`.
    #[must_use]
    pub fn with_detail(self, key: &'static str, value: impl Into<Value>) -> Self {
        self.edit(|inner| {
            inner.details.insert(key.to_owned(), value.into());
        })
    }

    /// Sets `Retry-After`, rounded up to whole seconds.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.edit(|inner| inner.retry_after = Some(after))
    }

    /// Adds a response header.
    #[must_use]
    pub fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.edit(|inner| inner.headers.push((name, value)))
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn with_source(self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.edit(|inner| inner.source = Some(Arc::new(cause)))
    }

    /// Answers 400 instead of 422, which OpenAI's SDKs know as `BadRequestError`.
    #[must_use]
    pub fn for_openai_clients(self) -> Self {
        if self.0.status == StatusCode::UNPROCESSABLE_ENTITY {
            self.edit(|inner| inner.status = StatusCode::BAD_REQUEST)
        } else {
            self
        }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// How long the client should wait, if waiting helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The cause, for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync)> {
        self.0.source.as_deref()
    }

    /// The error whose [object](Self::object) was written as this; `None` if it is none of this service.
    #[must_use]
    pub fn from_json(object: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Written {
            code: String,
            message: String,
            param: Option<String>,
            details: Map<String, Value>,
        }
        let written: Written = serde_json::from_str(object).ok()?;
        let code = *ErrorCode::ALL.iter().find(|code| code.as_str() == written.code)?;
        Some(Self::new(code, written.message).edit(|inner| {
            inner.param = written.param.map(Cow::Owned);
            inner.details = written.details;
        }))
    }

    /// The error object, as it stands under `error` in a body and in a stream.
    #[must_use]
    pub fn object(&self, request_id: &str) -> ErrorObject {
        ErrorObject {
            message: self.0.message.to_string(),
            kind: self.0.code.kind(),
            code: self.0.code.as_str().to_owned(),
            param: self.0.param.as_deref().map(str::to_owned),
            details: self.0.details.clone(),
            request_id: request_id.to_owned(),
        }
    }

    /// The whole body of an error answer.
    #[must_use]
    pub fn body(&self, request_id: &str) -> ErrorBody {
        ErrorBody {
            success: false,
            error: self.object(request_id),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl StdError for ApiError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|cause| cause as &(dyn StdError + 'static))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        let headers = response.headers_mut();
        if let Some(after) = self.0.retry_after {
            let whole_seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds));
        }
        match self.0.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::CONFLICT => {
                headers.insert("x-should-retry", HeaderValue::from_static("false"));
            }
            _ => {}
        }
        for (name, value) in &self.0.headers {
            headers.insert(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The error object of every failed request, a superset of OpenAI's.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorObject {
    /// What is wrong, for people.
    #[schema(example = "The conversation does not exist.")]
    pub message: String,
    /// The coarse class.
    #[serde(rename = "type")]
    pub kind: ErrorKind,
    /// The exact code, for programs.
    #[schema(example = "CONVERSATION_NOT_FOUND")]
    pub code: String,
    /// The request field at fault, if there is one.
    pub param: Option<String>,
    /// More, depending on the code; `field_errors` for a validation error.
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
    /// The id of the request, as in `X-Request-ID`.
    pub request_id: String,
}

/// The body of every error answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Always false.
    pub success: bool,
    /// What went wrong.
    pub error: ErrorObject,
}

/// Collects what is wrong with a request, so that one answer names it all.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<(String, String)>);

impl FieldErrors {
    /// Notes one problem.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push((field.into(), message.into()));
    }

    /// Notes a problem unless `ok`.
    pub fn check(&mut self, ok: bool, field: &str, message: impl FnOnce() -> String) {
        if !ok {
            self.add(field, message());
        }
    }

    /// Notes the problems of another list.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The same problems, of an object that stands in the field `parent`.
    #[must_use]
    pub fn within(self, parent: &str) -> Self {
        let nested = |(field, message)| (format!("{parent}.{field}"), message);
        Self(self.0.into_iter().map(nested).collect())
    }

    /// `Ok` if nothing was noted.
    ///
    /// # Errors
    /// A `VALIDATION_ERROR` that names every field.
    pub fn into_result(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.into_error())
        }
    }

    fn into_error(self) -> ApiError {
        let message = match self.0.as_slice() {
            [(field, message)] => format!("`{field}` {message}"),
            several => {
                let mut names: Vec<_> = several.iter().map(|(field, _)| format!("`{field}`")).collect();
                names.dedup();
                format!("Several fields are not valid: {}.", names.join(", "))
            }
        };
        let param = self.0.first().map(|(field, _)| field.clone());
        let list: Vec<_> = self
            .0
            .into_iter()
            .map(|(field, message)| json!({"field": field, "message": message}))
            .collect();
        let error = ApiError::new(ErrorCode::ValidationError, message).with_detail("field_errors", list);
        match param {
            Some(param) => error.with_param(param),
            None => error,
        }
    }
}
