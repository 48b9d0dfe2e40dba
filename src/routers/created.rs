//! The answer of a route that made something.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::extract::Json;
use crate::models::common::Success;

/// 201, with what was made and the address at which it can be read.
pub(super) fn created<T: Serialize>(location: &str, made: T) -> Response {
    let mut response = (StatusCode::CREATED, Json(Success::new(made))).into_response();
    // A template filled with ids is always a header's value.
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
