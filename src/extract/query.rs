//! Query parameters. One that cannot be what it stands for is a 422 that names it.

use std::error::Error;

use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::de::value::Error as ValueError;

use crate::utils::errors::ApiError;

use super::explanation::explanation;

/// The query string, parsed into a type.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Sync,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        if let Some(name) = parameter_with_nul(parts.uri.query().unwrap_or_default()) {
            return Err(ApiError::invalid_field(name, "must not hold U+0000"));
        }
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(refusal(&rejection)),
        }
    }
}

/// The parameter that holds an encoded U+0000: in a query string that is always these three characters.
fn parameter_with_nul(query: &str) -> Option<&str> {
    let pair = query.split('&').find(|pair| pair.contains("%00"))?;
    Some(pair.split('=').next().unwrap_or(pair))
}

fn refusal(rejection: &QueryRejection) -> ApiError {
    let Some(error) = located(rejection) else {
        return ApiError::invalid_field("query", "is not valid");
    };
    let path = error.path().to_string();
    let text = error.inner().to_string();
    let missing = text
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'));
    match missing {
        Some(name) => ApiError::invalid_field(name, "is required"),
        None if path == "." => ApiError::invalid_field("query", explanation(&text)),
        None => ApiError::invalid_field(path, explanation(&text)),
    }
}

/// The error beneath a rejection that knows where it happened.
fn located(rejection: &QueryRejection) -> Option<&serde_path_to_error::Error<ValueError>> {
    let mut next: Option<&(dyn Error + 'static)> = Some(rejection);
    while let Some(error) = next {
        if let Some(located) = error.downcast_ref() {
            return Some(located);
        }
        next = error.source();
    }
    None
}
