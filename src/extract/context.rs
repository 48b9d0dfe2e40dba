//! What middleware left in a request's extensions.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::middleware::ids::{Arrived, RequestId, TraceContext};
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
    Arrived,
    Caller,
    RequestId,
    TraceContext,
}

/// All that is known of a request beside its route, its caller and its body.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Its id.
    pub id: RequestId,
    /// The trace that it belongs to.
    pub trace: TraceContext,
    /// When it arrived.
    pub arrived: Arrived,
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self {
            id: RequestId::from_request_parts(parts, state).await?,
            trace: TraceContext::from_request_parts(parts, state).await?,
            arrived: Arrived::from_request_parts(parts, state).await?,
        })
    }
}
