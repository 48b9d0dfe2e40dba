//! Whether a caller may use a route: a layer around each, which [`routers::access`](crate::routers) puts there.
//!
//! Only this layer gives a handler its `Caller`: a route without one has no callers at all, so that a forgotten scope is
//! noticed by the first who asks, and opens nothing.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::field::display;

use crate::services::auth::{Access, Credential, Forbidden};
use crate::utils::errors::ApiError;

use super::authentication::Authenticated;

/// Lets callers through who may do what asks for this access.
pub async fn require(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let Some(Authenticated(caller)) = request.extensions_mut().remove::<Authenticated>() else {
        return ApiError::internal(NotAuthenticated).into_response();
    };
    if let Err(forbidden) = caller.check(access) {
        log(forbidden, caller.credential);
        return ApiError::from(forbidden).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Authentication did not run before: a fault in the wiring of the router.
#[derive(Debug, thiserror::Error)]
#[error("nobody was authenticated before access was decided on")]
struct NotAuthenticated;

fn log(forbidden: Forbidden, credential: Credential) {
    let api_key_id = match credential {
        Credential::ApiKey(id) => Some(display(id)),
        Credential::Token => None,
    };
    tracing::warn!(
        event = "scope_refused",
        reason = %forbidden,
        api_key_id,
        "security_event"
    );
}
