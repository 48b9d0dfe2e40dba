//! What every answer tells browsers about how to treat it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::{Environment, Settings};

/// For answers that are data and never a page. A page sets a policy of its own, which is then left alone.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Two years, as browsers' preload lists ask for.
const TWO_YEARS: &str = "max-age=63072000; includeSubDomains";

/// Adds the security headers, and `Cache-Control: no-store` to what is under `/v1` and says nothing else: it is for one
/// user alone, whichever format it has.
pub async fn add(State(settings): State<Arc<Settings>>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/v1/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, header::X_FRAME_OPTIONS, "DENY");
    set(headers, header::REFERRER_POLICY, "no-referrer");
    set_unless_present(headers, header::CONTENT_SECURITY_POLICY, API_POLICY);
    if settings.app.environment == Environment::Production {
        set(headers, header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    if is_api {
        set_unless_present(headers, header::CACHE_CONTROL, "no-store");
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

fn set_unless_present(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
