//! A bound on the time until a response has its head. What a body then takes is another matter: streams end
//! by limits of their own.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::utils::errors::{ApiError, ErrorCode};

use super::route_class;

/// `REQUEST_TIMEOUT`.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimit(pub Duration);

/// Answers 504 for a handler that takes too long, and drops it.
pub async fn enforce(State(TimeLimit(limit)): State<TimeLimit>, request: Request, next: Next) -> Response {
    if route_class::is_one_of(route_class::MAY_WAIT_LONG, &request) {
        return next.run(request).await;
    }
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            ApiError::new(ErrorCode::RequestTimeout, "The request took longer than it may.").into_response()
        }
    }
}
