//! From the bytes of a stream to events, in the bytes that arrived.
//!
//! The first chunk is parsed here, since it decides whether the model answers at all. Of those that follow only what
//! may be an error or a note of LiteLLM's is: who takes the chunks in parses every one of them, and once is enough.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::timeout;

use super::answer;
use crate::services::llm::{Chunk, ModelError, ModelErrorKind, ModelEvent, TimeoutStage, chunk};
use crate::utils::sse::{SseError, SseParser};

/// The data of the event that ends a stream.
const DONE: &[u8] = b"[DONE]";

/// What follows `[DONE]` is read this often, in the hope of the body's end.
const MAX_READS_AFTER_DONE: usize = 4;

/// Reads the events of one answer.
pub(super) struct EventReader {
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
    parser: SseParser,
    model: Arc<str>,
    idle_timeout: Duration,
    /// Whether a chunk has been seen: from then on nothing is repeated.
    started: bool,
}

impl EventReader {
    /// A reader of a successful answer's body.
    pub(super) fn new(response: reqwest::Response, model: Arc<str>, idle_timeout: Duration) -> Self {
        Self {
            bytes: response.bytes_stream().boxed(),
            parser: SseParser::new(),
            model,
            idle_timeout,
            started: false,
        }
    }

    /// Waits for the first chunk, however long it takes.
    ///
    /// # Errors
    /// If there is none, or an error in its place.
    pub(super) async fn first(&mut self) -> Result<ModelEvent, ModelError> {
        match self.next().await? {
            Some(event @ ModelEvent::Chunk(_)) => Ok(event),
            Some(ModelEvent::Done) | None => {
                Err(ModelError::new(ModelErrorKind::Failed, "the answer holds no chunk").with_status(200))
            }
        }
    }

    /// All events, the first of which was read before. They end after `[DONE]`, after an error, or with the body;
    /// each may take as long as the idle limit says, counted from when it is asked for.
    pub(super) fn into_events(self, first: ModelEvent) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        let rest = stream::unfold(Some(self), |reader| async {
            let mut reader = reader?;
            let next = timeout(reader.idle_timeout, reader.next()).await;
            match next.unwrap_or_else(|_| Err(ModelError::timeout(TimeoutStage::Idle))) {
                Ok(None) => None,
                Ok(Some(ModelEvent::Done)) => {
                    reader.read_end_of_body();
                    Some((Ok(ModelEvent::Done), None))
                }
                Ok(Some(chunk)) => Some((Ok(chunk), Some(reader))),
                Err(error) => Some((Err(error), None)),
            }
        });
        stream::once(ready(Ok(first))).chain(rest).boxed()
    }

    /// The next event, or `None` at the end of the body.
    async fn next(&mut self) -> Result<Option<ModelEvent>, ModelError> {
        loop {
            while let Some(data) = self.parser.next_event().map_err(too_large)? {
                if let Some(event) = self.interpret(data)? {
                    return Ok(Some(event));
                }
            }
            match self.bytes.next().await {
                Some(Ok(bytes)) => self.parser.push(&bytes),
                Some(Err(error)) => return Err(self.cut(&error)),
                None => return Ok(None),
            }
        }
    }

    /// What an event's data means; `None` if it is of no interest to anyone.
    fn interpret(&mut self, data: Bytes) -> Result<Option<ModelEvent>, ModelError> {
        match data.trim_ascii() {
            DONE => return Ok(Some(ModelEvent::Done)),
            b"" => return Ok(None),
            _ => {}
        }
        let json = chunk::clean(data);
        if self.started && !chunk::may_be_no_chunk(&json) {
            return Ok(Some(ModelEvent::Chunk(json)));
        }
        let chunk = Chunk::parse(&json)
            .map_err(|error| ModelError::new(ModelErrorKind::Garbled, &error.to_string()).with_status(200))?;
        if let Some(error) = chunk.error {
            let stage = if self.started {
                TimeoutStage::Idle
            } else {
                TimeoutStage::FirstToken
            };
            return Err(ModelError::from_error_value(error, &self.model, stage));
        }
        if chunk.id.as_deref() == Some(chunk::FALLBACK_NOTE) {
            tracing::info!(
                model = &*self.model,
                "the model server fell back to another deployment"
            );
            return Ok(None);
        }
        drop(chunk);
        self.started = true;
        Ok(Some(ModelEvent::Chunk(json)))
    }

    fn cut(&self, error: &reqwest::Error) -> ModelError {
        let kind = if self.started {
            ModelErrorKind::Interrupted
        } else {
            ModelErrorKind::Failed
        };
        ModelError::new(kind, &answer::root_cause(error))
    }

    /// Takes the end of the body if it is already there, so that the connection can be used again.
    fn read_end_of_body(&mut self) {
        for _ in 0..MAX_READS_AFTER_DONE {
            if !matches!(self.bytes.next().now_or_never(), Some(Some(Ok(_)))) {
                return;
            }
        }
    }
}

fn too_large(error: SseError) -> ModelError {
    ModelError::new(ModelErrorKind::TooLarge, &error.to_string()).with_status(200)
}
