//! What the database tells of an answer, as the events of its stream.

use bytes::BytesMut;

use crate::models::message::Message;
use crate::services::generation::frames::{self, Naming, Stored};
use crate::services::generation::records::{Checkpoint, GenerationRecord};
use crate::utils::errors::ApiError;
use crate::utils::sse::write_frame;

/// The record of an answer, and how far its checkpoints were read.
pub(super) struct Recorded {
    pub(super) record: GenerationRecord,
    /// The id after that of the last event that checkpoints were read of, and the bytes of text and reasoning before it.
    pub(super) covered: u64,
    content_bytes: usize,
    reasoning_bytes: usize,
}

impl Recorded {
    pub(super) const fn new(record: GenerationRecord) -> Self {
        Self {
            record,
            // The opening brings no text.
            covered: 2,
            content_bytes: 0,
            reasoning_bytes: 0,
        }
    }

    /// Shows the first event to who has not seen it.
    pub(super) fn show_opening(&self, next: &mut u64, out: &mut BytesMut) {
        if *next == 1 {
            let id = frames::own_completion_id(self.record.turn.stream_id);
            let opening = frames::opening(self.naming(&id), self.record.turn);
            write_frame(out, 1, &opening);
            *next = 2;
        }
    }

    /// Shows what a checkpoint has from the event `next` on.
    pub(super) fn show(&mut self, checkpoint: &Checkpoint, next: &mut u64, out: &mut BytesMut) {
        let id = frames::own_completion_id(self.record.turn.stream_id);
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
            if event < *next {
                continue;
            }
            *next = event + 1;
            if !(text.is_empty() && thought.is_empty()) {
                write_frame(out, event, &frames::recovered(self.naming(&id), text, thought));
            }
        }
    }

    /// Shows the rest of a stored answer, and the end.
    pub(super) fn end_with_message(&self, message: &Message, next: &mut u64, out: &mut BytesMut) {
        let id = frames::own_completion_id(self.record.turn.stream_id);
        let stored = Stored {
            naming: self.naming(&id),
            turn: self.record.turn,
            message,
        };
        let rest = stored.after(self.content_bytes, self.reasoning_bytes);
        for payload in rest.iter().map(Vec::as_slice).chain([frames::DONE]) {
            write_frame(out, *next, payload);
            *next = next.saturating_add(1);
        }
    }

    fn naming<'a>(&'a self, id: &'a str) -> Naming<'a> {
        Naming {
            id,
            model: &self.record.model,
            created: self.record.started_at,
        }
    }

    /// Why there is no more of it.
    pub(super) fn error(&self) -> ApiError {
        let known = self.record.error.clone();
        known.unwrap_or_else(|| frames::interrupted(Some(self.record.turn.message_id)))
    }
}

/// Takes so many bytes off the front; nothing, if they are not there or would cut a character.
fn take<'a>(text: &mut &'a str, bytes: u32) -> &'a str {
    let (taken, rest) = text.split_at_checked(bytes as usize).unwrap_or(("", text));
    *text = rest;
    taken
}
