//! A handler that panics is an ordinary 500, and the process lives on.

use std::any::Any;

use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

use crate::utils::errors::ApiError;

/// How a panic is turned into a response.
pub type PanicHandler = fn(Box<dyn Any + Send + 'static>) -> Response;

/// A handler panicked. Its message is left to the panic hook: it may quote what a user wrote.
#[derive(Debug, thiserror::Error)]
#[error("a handler panicked")]
struct Panicked;

/// The layer that catches panics.
#[must_use]
pub fn layer() -> CatchPanicLayer<PanicHandler> {
    CatchPanicLayer::custom(answer as PanicHandler)
}

fn answer(_thrown: Box<dyn Any + Send + 'static>) -> Response {
    ApiError::internal(Panicked).into_response()
}
