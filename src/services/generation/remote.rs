//! A reader of an answer that another instance produces, or produced: from what is recorded of it in the database.
//!
//! What is checkpointed is shown with the ids that its events have where they are produced, at most a checkpoint's
//! interval late. The rest comes from the stored message when the answer has ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::core::{EngineCore, unavailable};
use super::frames::{self, Naming, Stored};
use super::handle::Next;
use super::records::{Checkpoint, GenerationRecord};
use super::turn::TurnIds;
use crate::models::ids::{StreamId, UserId};
use crate::models::message::{Message, MessageStatus};
use crate::services::conversations::{Relatives, StoreError};
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::sse::write_frame;

/// How often the database is asked for more.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// One reader of an answer that another instance produces.
pub struct RemoteReader {
    core: Arc<EngineCore>,
    user: UserId,
    record: GenerationRecord,
    /// The id of the next event to be shown.
    next: u64,
    /// The id after that of the last event that checkpoints were read of, and the bytes of text and reasoning before it.
    covered: u64,
    content_bytes: usize,
    reasoning_bytes: usize,
    asked: Option<Instant>,
    done: bool,
}

impl RemoteReader {
    /// A reader that has seen the events up to `after`.
    pub(super) fn new(core: Arc<EngineCore>, user: UserId, record: GenerationRecord, after: u64) -> Self {
        core.metrics.stream_subscribers.inc();
        Self {
            core,
            user,
            record,
            next: after.saturating_add(1),
            // The opening brings no text.
            covered: 2,
            content_bytes: 0,
            reasoning_bytes: 0,
            asked: None,
            done: false,
        }
    }

    /// The stream that it reads.
    #[must_use]
    pub const fn id(&self) -> StreamId {
        self.record.turn.stream_id
    }

    /// The next events, at once if there are any, else when there are, but no later than `patience` from now.
    pub async fn next(&mut self, patience: Duration) -> Next {
        if self.done {
            return Next::End;
        }
        let deadline = Instant::now() + patience;
        loop {
            let due = self
                .asked
                .map_or_else(Instant::now, |asked| asked + POLL_INTERVAL);
            if due > deadline {
                tokio::time::sleep_until(deadline).await;
                return Next::Silence;
            }
            tokio::time::sleep_until(due).await;
            self.asked = Some(Instant::now());
            match self.poll().await {
                Ok(events) if events.is_empty() => {}
                Ok(events) => return Next::Events(events),
                // The lease of its producer ends what does not end; until then the database may come back.
                Err(error) => tracing::debug!(%error, "a stream of another instance cannot be read just now"),
            }
        }
    }

    /// Waits for the end of the answer: its message then, and where it stands.
    ///
    /// # Errors
    /// A failing database, or `STREAM_INTERRUPTED` if there is no whole message.
    pub async fn ended(&mut self) -> Result<(TurnIds, Message), ApiError> {
        loop {
            let record = self.core.records.generation(self.user, self.id()).await;
            let Some(record) = record.map_err(unavailable)? else {
                return Err(interrupted(&self.record.turn));
            };
            self.record = record;
            match self.record.status {
                MessageStatus::Streaming => tokio::time::sleep(POLL_INTERVAL).await,
                MessageStatus::Completed | MessageStatus::Cancelled => break,
                MessageStatus::Interrupted | MessageStatus::Failed => {
                    return Err(interrupted(&self.record.turn));
                }
            }
        }
        self.done = true;
        let message = self.stored_message().await?;
        let turn = self.record.turn;
        message
            .map(|message| (turn, message))
            .ok_or_else(|| interrupted(&turn))
    }

    /// What was recorded since the last time; nothing if there is nothing.
    async fn poll(&mut self) -> Result<Bytes, StoreError> {
        let (user, stream) = (self.user, self.id());
        let records = &self.core.records;
        // Everything is read before anything is noted as shown: a read that fails is done again. The record before the
        // checkpoints, which may go when the answer ends.
        let record = records.generation(user, stream).await?;
        let checkpoints = records.checkpoints(stream, self.covered).await?;
        let has_ended = record.as_ref().is_some_and(|record| {
            matches!(record.status, MessageStatus::Completed | MessageStatus::Cancelled)
        });
        let message = match has_ended {
            true => self.stored_message().await?,
            false => None,
        };
        let is_running = record
            .as_ref()
            .is_some_and(|record| record.status == MessageStatus::Streaming);
        if let Some(record) = record {
            self.record = record;
        }
        let mut out = BytesMut::new();
        self.show_opening(&mut out);
        for checkpoint in &checkpoints {
            self.show(&mut out, checkpoint);
        }
        match message.filter(|_| self.next <= self.covered) {
            Some(message) => self.end_with_message(&mut out, &message),
            None if is_running => {}
            None => self.end_with_error(&mut out),
        }
        Ok(out.freeze())
    }

    fn show_opening(&mut self, out: &mut BytesMut) {
        if self.next == 1 {
            let id = frames::own_completion_id(self.id());
            let opening = frames::opening(naming(&self.record, &id), self.record.turn);
            write_frame(out, self.next, &opening);
            self.next = 2;
        }
    }

    /// Shows what a checkpoint has beyond what was shown.
    fn show(&mut self, out: &mut BytesMut, checkpoint: &Checkpoint) {
        let id = frames::own_completion_id(self.id());
        let naming = naming(&self.record, &id);
        let (mut content, mut reasoning) = (checkpoint.content.as_str(), checkpoint.reasoning.as_str());
        for (event, (content_bytes, reasoning_bytes)) in (checkpoint.first_event..).zip(&checkpoint.marks) {
            let text = take(&mut content, *content_bytes);
            let thought = take(&mut reasoning, *reasoning_bytes);
            if event < self.covered {
                continue;
            }
            self.covered = event + 1;
            self.content_bytes += text.len();
            self.reasoning_bytes += thought.len();
            if event < self.next {
                continue;
            }
            self.next = event + 1;
            if !(text.is_empty() && thought.is_empty()) {
                write_frame(out, event, &frames::recovered(naming, text, thought));
            }
        }
    }

    async fn stored_message(&self) -> Result<Option<Message>, StoreError> {
        let turn = &self.record.turn;
        let found = self
            .core
            .store
            .message(
                self.user,
                turn.conversation_id,
                turn.message_id,
                Relatives::default(),
            )
            .await;
        match found {
            Ok(detail) => Ok(Some(detail.message)),
            Err(error) if error.is_outage() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The rest of a stored answer, and the end.
    fn end_with_message(&mut self, out: &mut BytesMut, message: &Message) {
        let id = frames::own_completion_id(self.id());
        let stored = Stored {
            naming: naming(&self.record, &id),
            turn: self.record.turn,
            message,
        };
        let rest = stored.after(self.content_bytes, self.reasoning_bytes);
        for payload in rest.iter().map(Vec::as_slice).chain([frames::DONE]) {
            write_frame(out, self.next, payload);
            self.next = self.next.saturating_add(1);
        }
        self.done = true;
    }

    fn end_with_error(&mut self, out: &mut BytesMut) {
        let error = frames::error(&interrupted(&self.record.turn), &self.record.request_id);
        write_frame(out, self.next, &error);
        write_frame(out, self.next.saturating_add(1), frames::DONE);
        self.done = true;
    }
}

impl fmt::Debug for RemoteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteReader")
            .field("id", &self.id())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Drop for RemoteReader {
    fn drop(&mut self) {
        self.core.metrics.stream_subscribers.dec();
        if !self.done {
            self.core.metrics.stream_disconnects.inc();
        }
    }
}

fn naming<'a>(record: &'a GenerationRecord, id: &'a str) -> Naming<'a> {
    Naming {
        id,
        model: &record.model,
        created: record.started_at,
    }
}

/// Takes so many bytes off the front; nothing, if they are not there or would cut a character.
fn take<'a>(text: &mut &'a str, bytes: u32) -> &'a str {
    let (taken, rest) = text.split_at_checked(bytes as usize).unwrap_or(("", text));
    *text = rest;
    taken
}

fn interrupted(turn: &TurnIds) -> ApiError {
    ApiError::new(
        ErrorCode::StreamInterrupted,
        "The answer was interrupted. What was produced is stored.",
    )
    .with_detail("message_id", turn.message_id.to_string())
    .with_detail("retry_after_ms", 1_000)
}
