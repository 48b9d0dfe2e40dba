//! Bodies that are read whole and within bounds: completions, embeddings and errors. And what the headers beside them say.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::RETRY_AFTER;
use tokio::time::timeout;

use crate::models::money::Money;
use crate::services::llm::{Chunk, ModelError, ModelErrorKind, TimeoutStage, Usage, chunk};

/// The largest completion that is read.
pub(super) const MAX_COMPLETION_BYTES: usize = 32 * 1024 * 1024;

/// The largest list of embeddings that is read: the most inputs of a request, each of 4,096 dimensions, take 43 MiB in
/// base64. As decimal numbers they take up to four times as much.
pub(super) const MAX_EMBEDDINGS_BYTES: usize = 64 * 1024 * 1024;

/// As much of an error's body as is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// How long an error's body may take: the status alone says enough.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest `Retry-After` that is passed on.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

const RETRY_AFTER_MS: &str = "retry-after-ms";
const RESPONSE_COST: &str = "x-litellm-response-cost";

/// A completion or a list of embeddings, with what it used and cost as far as the server says.
#[derive(Debug)]
pub(super) struct WholeAnswer {
    pub(super) body: Bytes,
    pub(super) usage: Option<Usage>,
    pub(super) cost: Option<Money>,
}

/// Reads the body of a successful answer that is not streamed, and has at most so many bytes.
///
/// # Errors
/// If it is cut, too large, empty, no JSON object, or an error in spite of its status.
pub(super) async fn read_whole(
    mut response: reqwest::Response,
    model: &str,
    max_bytes: usize,
) -> Result<WholeAnswer, ModelError> {
    let fault = |kind, message: &str| ModelError::new(kind, message).with_status(200);
    let mut body = BytesMut::new();
    match read_up_to(max_bytes, &mut response, &mut body).await {
        Ok(true) => {}
        Ok(false) => return Err(fault(ModelErrorKind::TooLarge, "the answer is too large")),
        // What has begun to arrive was paid for: it is not asked for again.
        Err(error) if !body.is_empty() => {
            return Err(ModelError::new(ModelErrorKind::Failed, &root_cause(&error)).too_late());
        }
        Err(error) => return Err(ModelError::new(ModelErrorKind::Failed, &root_cause(&error))),
    }
    if body.trim_ascii().is_empty() {
        return Err(fault(ModelErrorKind::Failed, "the answer is empty"));
    }
    let body = chunk::clean(body.freeze());
    let parsed = Chunk::parse(&body).map_err(|error| fault(ModelErrorKind::Garbled, &error.to_string()))?;
    if let Some(error) = parsed.error {
        return Err(ModelError::from_error_value(error, model, TimeoutStage::Total));
    }
    let usage = parsed.usage;
    drop(parsed);
    let own_cost = usage
        .and_then(|usage| usage.cost)
        .filter(|cost| *cost > Money::ZERO);
    Ok(WholeAnswer {
        usage,
        cost: own_cost.or_else(|| header_cost(response.headers())),
        body,
    })
}

/// Reads an answer that is no success.
pub(super) async fn read_error(
    mut response: reqwest::Response,
    model: &str,
    stage: TimeoutStage,
    now: DateTime<Utc>,
) -> ModelError {
    let mut body = BytesMut::new();
    // A body that is cut, too long or slow is judged by what there is of it.
    let _ = timeout(
        ERROR_BODY_TIMEOUT,
        read_up_to(MAX_ERROR_BYTES, &mut response, &mut body),
    )
    .await;
    let retry_after = retry_after(response.headers(), now);
    ModelError::from_answer(response.status().as_u16(), &body, retry_after, model, stage)
}

/// Appends the body to `out`. False if it goes on past the limit, to which `out` is then cut.
pub(super) async fn read_up_to(
    limit: usize,
    response: &mut reqwest::Response,
    out: &mut BytesMut,
) -> reqwest::Result<bool> {
    while let Some(bytes) = response.chunk().await? {
        let room = limit - out.len();
        out.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The error of a request that got no answer at all.
pub(super) fn transport_error(error: &reqwest::Error) -> ModelError {
    let kind = match (error.is_connect(), error.is_timeout()) {
        (true, true) => ModelErrorKind::Timeout(TimeoutStage::Connect),
        (true, false) => ModelErrorKind::Unavailable,
        (false, _) => ModelErrorKind::Failed,
    };
    ModelError::new(kind, &root_cause(error))
}

/// The innermost cause, such as "connection refused": the outer ones name the URL.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// What the headers say the answer costs. A zero is LiteLLM's word for unknown.
pub(super) fn header_cost(headers: &HeaderMap) -> Option<Money> {
    let text = headers.get(RESPONSE_COST)?.to_str().ok()?;
    Money::parse_dollars(text).filter(|cost| *cost > Money::ZERO)
}

/// When the headers say that asking again may help: in milliseconds, in seconds, or as a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let number = |text: &str| text.parse::<f64>().ok();
    let after = match text(RETRY_AFTER_MS).and_then(number) {
        Some(milliseconds) => Duration::try_from_secs_f64(milliseconds / 1_000.0).ok()?,
        None => {
            let text = text(RETRY_AFTER.as_str())?;
            match number(text) {
                Some(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
                None => {
                    let at = DateTime::parse_from_rfc2822(text).ok()?;
                    at.signed_duration_since(now).to_std().unwrap_or_default()
                }
            }
        }
    };
    Some(after.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn a_cost_of_nothing_is_unknown() {
        for (text, expected) in [
            ("1.5e-06", Some(1_500)),
            ("0.25", Some(250_000_000)),
            ("0", None),
            ("0.0", None),
            ("None", None),
            ("-1", None),
            ("", None),
        ] {
            let cost = header_cost(&headers(RESPONSE_COST, text));
            assert_eq!(cost.map(Money::nano), expected, "{text}");
        }
        assert_eq!(header_cost(&HeaderMap::new()), None);
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T03:37:49Z")
            .expect("a time")
            .to_utc();
        for (name, text, expected) in [
            ("retry-after", "60", Some(60_000)),
            ("retry-after", "0.5", Some(500)),
            ("retry-after", "Mon, 23 Nov 2026 03:38:49 GMT", Some(60_000)),
            ("retry-after", "Mon, 23 Nov 2026 03:00:00 GMT", Some(0)),
            ("retry-after-ms", "250", Some(250)),
            ("retry-after", "99999999", Some(86_400_000)),
            ("retry-after", "-1", None),
            ("retry-after", "NaN", None),
            ("retry-after", "soon", None),
        ] {
            let after = retry_after(&headers(name, text), now);
            assert_eq!(after.map(|after| after.as_millis()), expected, "{text}");
        }
    }
}
