//! What happens around every handler. The order in which these stand is decided in [`crate::app`] alone.
//!
//! - [`request_context`]: id, trace, span, metrics and the log line of a request, to the end of its body
//! - [`security_headers`]: what every answer tells browsers
//! - [`error_body`]: turns an `ApiError` into its JSON, counts it and logs its cause
//! - [`cors`]: which origins may call
//! - [`panics`]: a handler that panics is an ordinary 500
//! - [`concurrency`]: a bound on requests in flight
//! - [`time_limit`]: a bound on the time to the response's head
//! - [`authentication`]: no route without a caller, but for the open ones
//! - [`rate_limit`]: how often a caller may come
//! - [`access`]: which callers may use a route
//! - [`client_ip`], [`route_class`], [`ids`]: what those share

pub mod access;
pub mod authentication;
pub mod client_ip;
pub mod concurrency;
pub mod cors;
pub mod error_body;
mod exchange;
pub mod ids;
pub mod panics;
pub mod rate_limit;
pub mod request_context;
pub mod route_class;
pub mod security_headers;
pub mod time_limit;

pub use exchange::UpstreamTime;

#[cfg(test)]
mod tests;
