//! Which web pages may call the service from a browser.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::SecuritySettings;

use super::rate_limit;

/// How long a browser may reuse the answer to a preflight.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3600);

/// The entry of `CORS_ORIGINS` that stands for every origin.
const ANY_ORIGIN: &str = "*";

const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

const ALLOWED_HEADERS: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("x-on-disconnect"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
];

const EXPOSED_HEADERS: [HeaderName; 8] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-stream-id"),
    header::RETRY_AFTER,
    rate_limit::LIMIT,
    rate_limit::REMAINING,
    rate_limit::RESET,
    header::LOCATION,
    header::CONTENT_DISPOSITION,
];

/// The layer that these settings ask for. Credentials are never combined with `*`.
pub fn layer(settings: &SecuritySettings) -> CorsLayer {
    let any = settings.cors_origins.iter().any(|origin| origin == ANY_ORIGIN);
    let origins = if any {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(
            settings
                .cors_origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok()),
        )
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(settings.cors_credentials && !any)
        .allow_methods(METHODS)
        .allow_headers(ALLOWED_HEADERS)
        .expose_headers(EXPOSED_HEADERS)
        .max_age(PREFLIGHT_MAX_AGE)
}
