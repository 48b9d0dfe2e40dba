//! The outermost layer: gives a request its id, trace and span, and follows it to the end of its body.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument;
use tracing::field::Empty;

use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;

use super::exchange::{Exchange, FollowedBody, method_label};
use super::ids::{Arrived, RequestId, TraceContext, X_REQUEST_ID};
use super::route_class;

/// The route of a request that matched none, in labels and logs.
const UNMATCHED: &str = "unmatched";

/// Gives the request its context and the response its id, and reports on both when the body has ended.
pub async fn follow(
    State(metrics): State<Arc<Metrics>>,
    State(clock): State<Clock>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(Arrived(Instant::now()));
    let request_id = RequestId::accept_or_new(request.headers(), &clock);
    let trace = TraceContext::accept_or_new(request.headers());
    let route = route_class::template(&request).unwrap_or(UNMATCHED);
    // An error span: with LOG_LEVEL=ERROR its fields must still stand in the lines that remain.
    let span = tracing::error_span!(
        "request",
        request_id = %request_id,
        trace_id = %trace.trace_id,
        method = method_label(request.method()),
        route,
        user_id = Empty,
    );
    let mut exchange = Exchange::begin(&request, route, metrics, span.clone());
    request.extensions_mut().insert(request_id.clone());
    request.extensions_mut().insert(trace);

    let mut response = next.run(request).instrument(span).await;

    if let Some(value) = request_id.header_value() {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    exchange.answered(&response);
    response.map(|body| Body::new(FollowedBody::new(body, exchange)))
}
