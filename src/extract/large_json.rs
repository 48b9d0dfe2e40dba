//! A JSON body that is too large to be held in memory: its bytes, as they arrive.

use std::time::Duration;

use axum::extract::{FromRef, FromRequest, Request};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::body::{declared_length, incomplete, require_json, too_large, too_slow};
use crate::utils::errors::ApiError;

/// How long the sender may send nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// How long all of it may take: 256 MiB at 75 kB a second.
const READ_WITHIN: Duration = Duration::from_secs(3_600);

/// How large a large body may be.
#[derive(Debug, Clone, Copy)]
pub struct LargeBodyLimit(
    /// `MAX_IMPORT_BYTES`.
    pub usize,
);

/// A body that says it is JSON, piece by piece; nothing was checked but that. Past its limits comes an error, and
/// nothing after it.
pub struct LargeJson(pub BoxStream<'static, Result<Bytes, ApiError>>);

impl<S> FromRequest<S> for LargeJson
where
    S: Sync,
    LargeBodyLimit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let LargeBodyLimit(max_bytes) = LargeBodyLimit::from_ref(state);
        require_json(request.headers())?;
        if declared_length(request.headers()).is_some_and(|length| length > max_bytes as u64) {
            return Err(too_large(max_bytes));
        }
        let bounds = Bounds {
            max_bytes,
            silence: SILENCE,
            read_within: READ_WITHIN,
        };
        Ok(Self(
            bounded(request.into_body().into_data_stream(), bounds).boxed(),
        ))
    }
}

/// The bounds of one body.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    max_bytes: usize,
    silence: Duration,
    read_within: Duration,
}

/// The pieces, until there are too many bytes or the sender takes too long.
fn bounded<E: Send>(
    pieces: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    bounds: Bounds,
) -> impl Stream<Item = Result<Bytes, ApiError>> + Send {
    let deadline = Instant::now() + bounds.read_within;
    stream::try_unfold((pieces, bounds.max_bytes), move |(mut pieces, left)| async move {
        let next_by = deadline.min(Instant::now() + bounds.silence);
        let piece = match timeout_at(next_by, pieces.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(_))) => return Err(incomplete()),
            Ok(None) => return Ok(None),
            Err(_) => return Err(too_slow()),
        };
        let left = left
            .checked_sub(piece.len())
            .ok_or_else(|| too_large(bounds.max_bytes))?;
        Ok(Some((piece, (pieces, left))))
    })
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;
    use crate::utils::errors::ErrorCode;

    const BOUNDS: Bounds = Bounds {
        max_bytes: 10,
        silence: Duration::from_millis(50),
        read_within: Duration::from_millis(200),
    };

    async fn read(
        pieces: impl Stream<Item = Result<&'static str, ()>> + Send + Unpin,
    ) -> Result<Vec<u8>, ErrorCode> {
        let pieces = pieces.map(|piece| piece.map(Bytes::from));
        let read: Result<Vec<Bytes>, ApiError> = bounded(pieces, BOUNDS).try_collect().await;
        read.map(|pieces| pieces.concat()).map_err(|error| error.code())
    }

    #[tokio::test]
    async fn passes_on_what_is_not_too_large() {
        let fits = stream::iter([Ok("12345"), Ok(""), Ok("67890")]);
        assert_eq!(read(fits).await, Ok(b"1234567890".to_vec()));
        let large = stream::iter([Ok("12345"), Ok("678901")]);
        assert_eq!(read(large).await, Err(ErrorCode::PayloadTooLarge));
        let broken = stream::iter([Ok("12345"), Err(())]);
        assert_eq!(read(broken).await, Err(ErrorCode::BadRequest));
    }

    #[tokio::test]
    async fn gives_up_on_who_falls_silent_and_on_who_drips() {
        let silent = stream::iter([Ok("1")]).chain(stream::pending());
        assert_eq!(read(silent).await, Err(ErrorCode::RequestTimeout));
        let drip = stream::repeat(()).then(|()| async {
            tokio::time::sleep(BOUNDS.silence / 5).await;
            Ok("")
        });
        let began = Instant::now();
        assert_eq!(read(Box::pin(drip)).await, Err(ErrorCode::RequestTimeout));
        assert!(began.elapsed() >= BOUNDS.read_within);
    }
}
