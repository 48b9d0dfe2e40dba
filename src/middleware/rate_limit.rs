//! The quotas of `RATE_LIMIT_*`, after authentication and before the handler; and the headers that tell a caller how
//! it stands with its own.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::services::rate_limit::{Refusal, RequestLimits, Standing};
use crate::utils::errors::ApiError;

use super::authentication::Authenticated;

/// How many requests the user may send at once, after a pause.
pub const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");

/// How many requests the user may send at once now.
pub const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// Whole seconds until the user may send as many at once as the limit says.
pub const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Answers 429 for a request that is over a limit. Open routes, which have no caller, are exempt.
pub async fn enforce(State(limits): State<Arc<RequestLimits>>, request: Request, next: Next) -> Response {
    let Some(Authenticated(caller)) = request.extensions().get() else {
        return next.run(request).await;
    };
    let verdict = limits.check(caller.user_id).await;
    let mut response = match verdict.refusal {
        None => next.run(request).await,
        Some(refusal) => {
            log(refusal);
            ApiError::from(refusal).into_response()
        }
    };
    describe(verdict.user, response.headers_mut());
    response
}

fn log(refusal: Refusal) {
    tracing::warn!(
        event = "rate_limited",
        scope = refusal.scope.as_str(),
        "security_event"
    );
}

fn describe(standing: Standing, headers: &mut HeaderMap) {
    headers.insert(LIMIT, HeaderValue::from(standing.limit));
    headers.insert(REMAINING, HeaderValue::from(standing.remaining));
    headers.insert(RESET, HeaderValue::from(whole_seconds(standing.reset_after)));
}

/// Rounded up, so that whoever waits that long has waited long enough.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
