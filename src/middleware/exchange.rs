//! One request and its response, from the request's head to the response's last byte.
//!
//! An [`Exchange`] reports when it is dropped, and everything that can happen to a request drops it: the body
//! ends, the client goes away while a handler works, or while the body is being sent. It tells these apart.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tracing::Span;

use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::metrics::Metrics;

use super::route_class;

/// Longest user agent in a log line, in bytes.
const MAX_USER_AGENT_LENGTH: usize = 200;

/// The status label of a request whose client left before it was answered, as nginx has it.
const CLIENT_CLOSED_REQUEST: &str = "499";

/// The method label of anything that is not a standard method: a client can make up as many as it likes.
const OTHER_METHOD: &str = "OTHER";

/// The method as a label and a log field.
pub(super) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER_METHOD,
    }
}

/// How far a response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The handler works.
    Waiting,
    /// The body is being sent. A body whose length is known is complete once that much was taken from it.
    Sending { length: Option<u64> },
    /// The body's last byte was handed over.
    Complete,
    /// The body broke off on our side.
    Failed,
}

/// How long a handler waited for upstreams before its response began; left among the response's extensions.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamTime(pub Duration);

/// Follows one request and reports on it when dropped.
pub(super) struct Exchange {
    metrics: Arc<Metrics>,
    span: Span,
    started: Instant,
    method: &'static str,
    head_only: bool,
    route: Box<str>,
    quiet: bool,
    user_agent: Option<Box<str>>,
    status: Option<StatusCode>,
    error_code: Option<ErrorCode>,
    upstream: Option<Duration>,
    bytes_out: u64,
    progress: Progress,
}

impl Exchange {
    pub(super) fn begin(request: &Request, route: &str, metrics: Arc<Metrics>, span: Span) -> Self {
        metrics.http_requests_in_flight.inc();
        Self {
            metrics,
            span,
            started: Instant::now(),
            method: method_label(request.method()),
            head_only: request.method() == Method::HEAD,
            route: route.into(),
            quiet: route_class::QUIET.contains(&route),
            user_agent: user_agent(request),
            status: None,
            error_code: None,
            upstream: None,
            bytes_out: 0,
            progress: Progress::Waiting,
        }
    }

    /// Notes the response's head.
    pub(super) fn answered(&mut self, response: &Response) {
        self.status = Some(response.status());
        self.error_code = response.extensions().get::<ApiError>().map(ApiError::code);
        self.upstream = response.extensions().get::<UpstreamTime>().map(|time| time.0);
        self.progress = if self.head_only || response.body().is_end_stream() {
            Progress::Complete
        } else {
            let declared = response.headers().get(header::CONTENT_LENGTH);
            let length = declared
                .and_then(|length| length.to_str().ok()?.parse().ok())
                .or_else(|| response.body().size_hint().exact());
            Progress::Sending { length }
        };
    }

    fn sent(&mut self, bytes: usize, is_last: bool) {
        self.bytes_out += bytes as u64;
        if is_last
            || self.progress
                == (Progress::Sending {
                    length: Some(self.bytes_out),
                })
        {
            self.progress = Progress::Complete;
        }
    }

    fn failed(&mut self, cause: &axum::Error) {
        self.progress = Progress::Failed;
        let _entered = self.span.enter();
        tracing::error!(
            cause = cause as &dyn std::error::Error,
            "the response body broke off"
        );
    }

    fn log(&self, aborted: bool) {
        let _entered = self.span.enter();
        let status = self.status.map(|status| status.as_u16());
        let duration_ms = millis(self.started.elapsed());
        let upstream_ms = self.upstream.map(millis);
        let bytes_out = self.bytes_out;
        let error_code = self.error_code.map(ErrorCode::as_str);
        let user_agent = self.user_agent.as_deref();
        let aborted = aborted.then_some(true);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    status,
                    duration_ms,
                    bytes_out,
                    error_code,
                    upstream_ms,
                    user_agent,
                    aborted,
                    "request ended"
                )
            };
        }
        if self.quiet {
            line!(debug);
        } else if self.status.is_some_and(|status| status.is_server_error()) {
            line!(error);
        } else {
            line!(info);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let aborted = matches!(self.progress, Progress::Waiting | Progress::Sending { .. });
        let status = self
            .status
            .as_ref()
            .map_or(CLIENT_CLOSED_REQUEST, StatusCode::as_str);
        self.metrics.http_requests_in_flight.dec();
        self.metrics
            .http_requests
            .with_label_values(&[self.method, &self.route, status])
            .inc();
        self.metrics
            .http_request_duration
            .with_label_values(&[self.method, &self.route])
            .observe(self.started.elapsed().as_secs_f64());
        self.log(aborted);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn user_agent(request: &Request) -> Option<Box<str>> {
    // `to_str` admits visible ASCII only, so that any byte is a place to cut at.
    let text = request.headers().get(header::USER_AGENT)?.to_str().ok()?;
    Some(text[..text.len().min(MAX_USER_AGENT_LENGTH)].into())
}

/// A response body that tells its exchange what was taken from it.
pub(super) struct FollowedBody {
    inner: Body,
    exchange: Exchange,
}

impl FollowedBody {
    pub(super) fn new(inner: Body, exchange: Exchange) -> Self {
        Self { inner, exchange }
    }
}

impl HttpBody for FollowedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let is_last = self.inner.is_end_stream();
                self.exchange
                    .sent(frame.data_ref().map_or(0, Bytes::len), is_last);
            }
            Some(Err(cause)) => self.exchange.failed(cause),
            None => self.exchange.sent(0, true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
