//! A reader of an answer that another instance produces, or produced.
//!
//! - `tail`: the log in Redis, which has what its own readers see
//! - `recorded`: what is in the database, for where there is no log: the text that is checkpointed, at most a checkpoint's
//!   interval late, and the rest of the message when the answer has ended
//! - `opening`: whether there will be an answer at all
//!
//! The events have the same ids in both, so that a reader goes on with the one where it had to leave the other. How an
//! answer ended is in the database, whatever becomes of its log.

mod opening;
mod recorded;
mod tail;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use self::recorded::Recorded;
use self::tail::{Found, Tail};
use super::core::{EngineCore, unavailable};
use super::frames;
use super::handle::Next;
use super::records::GenerationRecord;
use super::shared::LogName;
use super::turn::TurnIds;
use crate::models::ids::{StreamId, UserId};
use crate::models::message::{Message, MessageStatus};
use crate::services::conversations::{Relatives, StoreError};
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::sse::write_frame;

/// How often the database is asked for more, where it is what is read.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How often it is asked for the end of an answer whose log is read.
const END_INTERVAL: Duration = Duration::from_secs(2);

/// How often the log is looked into where nothing tells that it has grown.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long after that the end of the log is waited for, by who has read more of it than the database tells.
const END_WITHIN: Duration = Duration::from_secs(5);

/// How long Redis has to be down before what is only there counts as gone.
const GONE_AFTER: Duration = Duration::from_secs(5);

/// How long the log of an answer that is recorded nowhere else may be away.
const MAX_ABSENCE: Duration = Duration::from_secs(10);

/// One reader of an answer that another instance produces.
pub struct RemoteReader {
    core: Arc<EngineCore>,
    user: UserId,
    stream: StreamId,
    tail: Option<Tail>,
    recorded: Option<Recorded>,
    /// The id of the next event to be shown.
    next: u64,
    /// When the database was asked.
    asked: Option<Instant>,
    /// When it first said that the answer has ended.
    ended: Option<Instant>,
    done: bool,
}

/// Whether there is this log in Redis. Where that is down for long there is none; while it does not answer, nobody knows.
///
/// # Errors
/// `STORE_UNAVAILABLE` if nobody knows.
pub(super) async fn has_log(core: &EngineCore, name: LogName) -> Result<bool, ApiError> {
    let Some(sharing) = &core.sharing else {
        return Ok(false);
    };
    match sharing.logs.read(name, u64::MAX).await {
        Ok(page) => Ok(page.is_some()),
        Err(_) if sharing.logs.availability().borrow().is_down_for(GONE_AFTER) => Ok(false),
        Err(failure) => {
            let message = "It is not known where this stream is just now.";
            Err(ApiError::new(ErrorCode::StoreUnavailable, message).with_source(failure))
        }
    }
}

impl RemoteReader {
    /// A reader that has seen the events up to `after`. Where there is no record, there must be a log.
    pub(super) fn new(
        core: Arc<EngineCore>,
        user: UserId,
        stream: StreamId,
        record: Option<GenerationRecord>,
        after: u64,
    ) -> Self {
        core.metrics.stream_subscribers.inc();
        let name = LogName {
            user,
            stream,
            recorded: record.is_some(),
        };
        let sharing = core.sharing.as_ref();
        Self {
            tail: sharing.map(|sharing| Tail::new(&sharing.logs, name)),
            core,
            user,
            stream,
            recorded: record.map(Recorded::new),
            next: after.saturating_add(1),
            asked: None,
            ended: None,
            done: false,
        }
    }

    /// The stream that it reads.
    #[must_use]
    pub const fn id(&self) -> StreamId {
        self.stream
    }

    /// The next events, at once if there are any, else when there are, but no later than `patience` from now.
    pub async fn next(&mut self, patience: Duration) -> Next {
        let deadline = Instant::now() + patience;
        while !self.done {
            let events = self.look().await;
            if !events.is_empty() {
                return Next::Events(events);
            }
            if Instant::now() >= deadline {
                return Next::Silence;
            }
            self.wait(deadline).await;
        }
        Next::End
    }

    /// What there is beyond what was shown; nothing if there is nothing.
    async fn look(&mut self) -> Bytes {
        let found = match &mut self.tail {
            Some(tail) => tail.read(self.next).await,
            None => Found::Absent,
        };
        let interval = match found {
            Found::Events(events, next, is_last) => {
                self.next = next;
                self.done = is_last;
                self.asked = Some(Instant::now());
                return events;
            }
            Found::Nothing => {
                self.asked.get_or_insert_with(Instant::now);
                END_INTERVAL
            }
            Found::Absent => POLL_INTERVAL,
        };
        if self.asked.is_some_and(|asked| asked.elapsed() < interval) {
            return Bytes::new();
        }
        self.asked = Some(Instant::now());
        // The lease of its producer ends what does not end; until then the database may come back.
        self.poll().await.unwrap_or_else(|error| {
            tracing::debug!(%error, "a stream of another instance cannot be read just now");
            Bytes::new()
        })
    }

    /// Waits until it is time to look again.
    async fn wait(&mut self, deadline: Instant) {
        let is_absent = |tail: &Tail| tail.absent_since().is_some();
        let pause = match &self.tail {
            Some(tail) if !is_absent(tail) => LOOK_INTERVAL,
            _ => POLL_INTERVAL,
        };
        let until = deadline.min(Instant::now() + pause);
        match &mut self.tail {
            Some(tail) => {
                // Nobody may tell.
                let _ = tokio::time::timeout_at(until, tail.grown()).await;
            }
            None => tokio::time::sleep_until(until).await,
        }
    }

    /// Waits for the end of the answer: its message then, and where it stands.
    ///
    /// # Errors
    /// A failing database, or `STREAM_INTERRUPTED` if there is no whole message.
    pub async fn ended(&mut self) -> Result<(TurnIds, Message), ApiError> {
        let turn = loop {
            let record = self.core.records.generation(self.user, self.stream).await;
            let Some(record) = record.map_err(unavailable)? else {
                return Err(self.error());
            };
            let (status, turn) = (record.status, record.turn);
            if let Some(recorded) = &mut self.recorded {
                recorded.record = record;
            }
            match status {
                MessageStatus::Streaming => {
                    self.say_that_it_is_read().await;
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                MessageStatus::Completed | MessageStatus::Cancelled => break turn,
                MessageStatus::Interrupted | MessageStatus::Failed => return Err(self.error()),
            }
        };
        self.done = true;
        let message = self.stored_message(&turn).await?;
        message.map(|message| (turn, message)).ok_or_else(|| self.error())
    }

    /// Whoever produces the answer may stop it when nobody reads it any more.
    async fn say_that_it_is_read(&mut self) {
        if let Some(tail) = &mut self.tail {
            tail.say_that_it_is_read().await;
        }
    }

    /// What was recorded beyond what was shown.
    async fn poll(&mut self) -> Result<Bytes, StoreError> {
        let Some(covered) = self.recorded.as_ref().map(|recorded| recorded.covered) else {
            return Ok(self.give_up_if_absent());
        };
        let records = &self.core.records;
        // Everything is read before anything is noted as shown: a read that fails is done again. The record before the
        // checkpoints, which may go when the answer ends.
        let record = records.generation(self.user, self.stream).await?;
        let checkpoints = records.checkpoints(self.stream, covered).await?;
        let message = match &record {
            Some(record) if matches!(record.status, MessageStatus::Completed | MessageStatus::Cancelled) => {
                self.stored_message(&record.turn).await?
            }
            _ => None,
        };
        let is_running = record
            .as_ref()
            .is_some_and(|record| record.status == MessageStatus::Streaming);
        let mut out = BytesMut::new();
        let has_ended = !is_running;
        let expects_end = has_ended && self.expects_end_of_log();
        let Self { recorded, next, .. } = self;
        if let Some(recorded) = recorded {
            if let Some(record) = record {
                recorded.record = record;
            }
            recorded.show_opening(next, &mut out);
            for checkpoint in &checkpoints {
                recorded.show(checkpoint, next, &mut out);
            }
            match message.filter(|_| *next <= recorded.covered) {
                Some(message) => {
                    recorded.end_with_message(&message, next, &mut out);
                    self.done = true;
                }
                // The end comes into the log a little later than into the database.
                None if is_running || expects_end => {}
                None => self.end_with_error(&mut out),
            }
        }
        Ok(out.freeze())
    }

    /// Whether there may be a log, and its end was not waited for long enough.
    fn expects_end_of_log(&mut self) -> bool {
        let may_be_there = self.tail.as_ref().is_some_and(|tail| !tail.is_missing());
        let ended = *self.ended.get_or_insert_with(Instant::now);
        may_be_there && ended.elapsed() < END_WITHIN
    }

    /// Ends it if there is nothing that could go on.
    fn give_up_if_absent(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        let absent_since = self.tail.as_ref().map(Tail::absent_since);
        match absent_since {
            Some(None) => {}
            Some(Some(since)) if since.elapsed() < MAX_ABSENCE => {}
            _ => self.end_with_error(&mut out),
        }
        out.freeze()
    }

    async fn stored_message(&self, turn: &TurnIds) -> Result<Option<Message>, StoreError> {
        let store = &self.core.store;
        let found = store.message(
            self.user,
            turn.conversation_id,
            turn.message_id,
            Relatives::default(),
        );
        match found.await {
            Ok(detail) => Ok(Some(detail.message)),
            Err(error) if error.is_outage() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Why there is no more of it.
    fn error(&self) -> ApiError {
        let recorded = self.recorded.as_ref();
        recorded.map_or_else(|| frames::interrupted(None), Recorded::error)
    }

    fn end_with_error(&mut self, out: &mut BytesMut) {
        let request = self
            .recorded
            .as_ref()
            .map_or("", |recorded| &recorded.record.request_id);
        let error = frames::error(&self.error(), request);
        write_frame(out, self.next, &error);
        write_frame(out, self.next.saturating_add(1), frames::DONE);
        self.done = true;
    }
}

impl fmt::Debug for RemoteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteReader")
            .field("id", &self.stream)
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
