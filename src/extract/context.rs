//! What middleware left in a request's extensions.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::middleware::ids::{RequestId, TraceContext};
use crate::services::auth::Caller;
use crate::utils::errors::ApiError;

/// Middleware that a handler relies on did not run: a fault in the wiring of the router.
#[derive(Debug, thiserror::Error)]
#[error("no {0} in the request's extensions")]
struct NotProvided(&'static str);

macro_rules! from_extensions {
    ($($provided:ty),+ $(,)?) => {$(
        impl<S: Sync> FromRequestParts<S> for $provided {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
                parts
                    .extensions
                    .get::<Self>()
                    .cloned()
                    .ok_or_else(|| ApiError::internal(NotProvided(stringify!($provided))))
            }
        }
    )+};
}

from_extensions! {
    Caller,
    RequestId,
    TraceContext,
}
