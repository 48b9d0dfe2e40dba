//! JSON bodies. Nothing is done with a body before it was found to be well-formed and storable.

use axum::body::HttpBody as _;
use axum::extract::{FromRef, FromRequest, OptionalFromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::json::{depth, find_unstorable_escape};

use super::body::{BodyLimits, read_json_body};
use super::explanation::explanation;

const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Deepest nesting of a body: as deep as `serde_json` goes when it parses into a type.
const MAX_DEPTH: usize = 127;

/// Characters of an unknown field's name that are told.
const MAX_FIELD_CHARS: usize = 100;

/// What errors about the body as a whole call it.
const BODY: &str = "body";

/// A body that is parsed into a type; as a response, a value that is written as JSON.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<S, T> FromRequest<S> for Json<T>
where
    S: Sync,
    BodyLimits: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = read_json_body(request, state).await?;
        let object = checked_object(&body)?;
        check_storable(&body)?;
        parse(object.as_bytes()).map(Self)
    }
}

/// For bodies in which everything may be left out, and which may therefore be left out themselves.
impl<S, T> OptionalFromRequest<S> for Json<T>
where
    S: Sync,
    BodyLimits: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state)
            .await
            .map(Some)
    }
}

impl<T: Default> Json<T> {
    /// What stands in a body that may be left out.
    pub fn or_default(body: Option<Self>) -> T {
        body.map(|Self(value)| value).unwrap_or_default()
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(json) => ([(header::CONTENT_TYPE, APPLICATION_JSON)], json).into_response(),
            Err(cause) => ApiError::internal(cause).into_response(),
        }
    }
}

/// A body that is a JSON object, in the very bytes that were sent. Whether it is storable is for the handler to
/// [check](check_storable).
#[derive(Debug, Clone)]
pub struct RawJson(pub Bytes);

impl<S> FromRequest<S> for RawJson
where
    S: Sync,
    BodyLimits: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = read_json_body(request, state).await?;
        checked_object(&body)?;
        Ok(Self(body))
    }
}

/// Refuses a body that no database of ours can hold.
///
/// # Errors
/// A `VALIDATION_ERROR` that says what is in it, and where.
pub fn check_storable(body: &[u8]) -> Result<(), ApiError> {
    match find_unstorable_escape(body) {
        None => Ok(()),
        Some(at) => Err(ApiError::invalid_field(
            BODY,
            format!(
                "holds `{}` at byte {}: U+0000 and halves of surrogate pairs cannot be stored",
                String::from_utf8_lossy(&body[at.clone()]),
                at.start
            ),
        )),
    }
}

/// The body as the text of one JSON object. Its syntax is seen to be right before any field is looked at, so
/// that what is no JSON is never a complaint about a field.
fn checked_object(body: &[u8]) -> Result<&str, ApiError> {
    if body.is_empty() {
        return Err(ApiError::new(ErrorCode::MalformedJson, "The body is empty."));
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| ApiError::new(ErrorCode::MalformedJson, "The body is not UTF-8."))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| malformed(&error))?;
    if depth(text) > MAX_DEPTH {
        return Err(ApiError::new(
            ErrorCode::MalformedJson,
            format!("The body may be nested at most {MAX_DEPTH} deep."),
        ));
    }
    if !text.trim_start().starts_with('{') {
        return Err(ApiError::invalid_field(BODY, "must be a JSON object"));
    }
    Ok(text)
}

/// Parses an object that was found to be well-formed and storable.
///
/// # Errors
/// A `VALIDATION_ERROR` that names the field which is missing or has a wrong type.
pub fn parse<T: DeserializeOwned>(object: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        ill_typed(&path, error.inner())
    })
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::new(
        ErrorCode::MalformedJson,
        format!("The body is not valid JSON: {error}."),
    )
    .with_detail("line", error.line())
    .with_detail("column", error.column())
}

/// The syntax is right, but a field is missing or has a wrong type.
fn ill_typed(path: &str, error: &serde_json::Error) -> ApiError {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let text = text.strip_suffix(&place).unwrap_or(&text);
    let parent = if path == "." { "" } else { path };
    // These are reported at the object that the field belongs to.
    for (prefix, message) in [
        ("missing field `", "is required"),
        ("duplicate field `", "is given more than once"),
    ] {
        if let Some(field) = text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('`')) {
            let dot = if parent.is_empty() { "" } else { "." };
            return ApiError::invalid_field(format!("{parent}{dot}{field}"), message);
        }
    }
    if let Some((field, names)) = unknown_field(text) {
        let field: String = field.chars().take(MAX_FIELD_CHARS).collect();
        return ApiError::invalid_field(field, format!("is unknown or cannot be set; what can is {names}"));
    }
    let field = if parent.is_empty() { BODY } else { parent };
    ApiError::invalid_field(field, explanation(text))
}

/// A field that an object does not have, and the names of those that it has.
fn unknown_field(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("unknown field `")?;
    // The name itself may hold anything, so what follows it is looked for from the end.
    let (field, names) = rest.rsplit_once("`, expected ")?;
    Some((field, names.trim_start_matches("one of ")))
}
