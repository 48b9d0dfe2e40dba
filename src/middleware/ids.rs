//! The ids that a request carries through the service: its own, and that of the trace it belongs to.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::random;
use tokio::time::Instant;

use crate::utils::clock::Clock;

/// `X-Request-ID`.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// `traceparent` of W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Longest request id that is taken over from a caller.
const MAX_REQUEST_ID_LENGTH: usize = 128;

/// When a request arrived: its head was read, nothing else was done.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Instant);

/// The id of a request: in its answer, its error body and each of its log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    /// The caller's id if it sent one of 1-128 visible ASCII characters, else a new UUID.
    #[must_use]
    pub fn accept_or_new(headers: &HeaderMap, clock: &Clock) -> Self {
        let given = headers
            .get(X_REQUEST_ID)
            .map(HeaderValue::as_bytes)
            .filter(|id| (1..=MAX_REQUEST_ID_LENGTH).contains(&id.len()))
            .filter(|id| id.iter().all(u8::is_ascii_graphic))
            .and_then(|id| std::str::from_utf8(id).ok());
        Self(given.map_or_else(|| clock.uuid().to_string().into(), Arc::from))
    }

    /// The id as a header.
    #[must_use]
    pub fn header_value(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The trace that a request belongs to, to be sent on to every upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// 32 lower-case hexadecimal digits, not all zero.
    pub trace_id: Arc<str>,
    /// The whole header.
    pub traceparent: HeaderValue,
}

impl TraceContext {
    /// The caller's trace if its `traceparent` is valid, else a new one that is not sampled.
    #[must_use]
    pub fn accept_or_new(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(TRACEPARENT).iter();
        match (given.next(), given.next()) {
            (Some(value), None) => Self::parse(value).unwrap_or_else(Self::new),
            _ => Self::new(),
        }
    }

    fn new() -> Self {
        // An id of all zeros is invalid.
        let trace_id = format!("{:032x}", random::<u128>().max(1));
        let text = format!("00-{trace_id}-{:016x}-00", random::<u64>().max(1));
        Self {
            trace_id: trace_id.into(),
            traceparent: HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("")),
        }
    }

    fn parse(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let mut parts = text.split('-');
        let (version, trace_id, parent_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // Later versions may append fields; version 00 has exactly four, and ff is forbidden.
        let known = version != "ff" && (version != "00" || parts.next().is_none());
        let valid = known
            && is_hex(version, 2)
            && is_hex(flags, 2)
            && is_hex(trace_id, 32)
            && is_hex(parent_id, 16)
            && trace_id.contains(|c| c != '0')
            && parent_id.contains(|c| c != '0');
        valid.then(|| Self {
            trace_id: trace_id.into(),
            traceparent: value.clone(),
        })
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_bytes(value).expect("a header value"))])
    }

    #[test]
    fn takes_over_printable_request_ids_only() {
        let clock = Clock::system();
        let id = |value: &[u8]| RequestId::accept_or_new(&headers(X_REQUEST_ID, value), &clock).0;
        assert_eq!(&*id(b"req-1"), "req-1");
        assert_eq!(id(&[b'x'; 128]).len(), 128);
        for bad in [&b""[..], b"a b", b"\xc3\xa9", &[b'x'; 129]] {
            assert!(uuid::Uuid::parse_str(&id(bad)).is_ok(), "{bad:?}");
        }
    }

    #[test]
    fn takes_over_valid_traces_only() {
        let trace = |value: &str| TraceContext::accept_or_new(&headers(TRACEPARENT, value.as_bytes()));
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(&*trace(given).trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace(given).traceparent, given);
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert_eq!(trace(later).traceparent, later);
        for bad in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            let new = trace(bad);
            assert_ne!(new.traceparent, bad);
            assert!(
                TraceContext::parse(&new.traceparent).is_some(),
                "a new one is valid"
            );
        }
    }
}
