//! Path parameters. One that cannot be what it stands for is a 422 that names it, never a lookup.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::utils::errors::ApiError;

/// The parameters of a route's template, in order or by name.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S, T> FromRequestParts<S> for Path<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let names = checked_names(parts, state).await?;
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                Err(refusal(error.into_kind(), &names))
            }
            Err(fault) => Err(ApiError::internal(fault)),
        }
    }
}

/// The names of the parameters in order, none of whose values holds U+0000.
async fn checked_names<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Vec<String>, ApiError> {
    let Ok(params) = RawPathParams::from_request_parts(parts, state).await else {
        return Err(ApiError::invalid_field("path", "is not UTF-8"));
    };
    if let Some((name, _)) = params.iter().find(|(_, value)| value.contains('\0')) {
        return Err(ApiError::invalid_field(name, "must not hold U+0000"));
    }
    Ok(params.iter().map(|(name, _)| name.to_owned()).collect())
}

fn refusal(kind: ErrorKind, names: &[String]) -> ApiError {
    let index = match kind {
        ErrorKind::ParseErrorAtIndex { index, .. } => index,
        _ => 0,
    };
    let position = || names.get(index).map_or("path", String::as_str).to_owned();
    match kind {
        ErrorKind::ParseErrorAtKey { key, .. } | ErrorKind::InvalidUtf8InPathParam { key } => {
            ApiError::invalid_field(key, "is not valid")
        }
        ErrorKind::DeserializeError { key, message, .. } => {
            ApiError::invalid_field(key, format!("is not valid: {message}"))
        }
        ErrorKind::ParseErrorAtIndex { .. } | ErrorKind::ParseError { .. } => {
            ApiError::invalid_field(position(), "is not valid")
        }
        ErrorKind::Message(message) => {
            ApiError::invalid_field(position(), format!("is not valid: {message}"))
        }
        fault => ApiError::internal(Fault(fault.to_string())),
    }
}

/// The handler asks for parameters that its route does not have.
#[derive(Debug, thiserror::Error)]
#[error("path parameters do not fit the route: {0}")]
struct Fault(String);
