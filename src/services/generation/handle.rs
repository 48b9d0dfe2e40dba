//! One answer being produced, as everybody else sees it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::draft::{Draft, Gain};
use super::frames::{self, Naming};
use super::replay::{Read, ReplayLog};
use super::turn::{Kind, TurnIds};
use crate::config::OnDisconnect;
use crate::models::ids::{StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::services::billing::AnswerUsage;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::metrics::Metrics;
use crate::utils::sse::write_frame;

/// For how long whoever reads at another instance is there still, after that was said.
const READ_ELSEWHERE_FOR: Duration = Duration::from_secs(6);

/// What becomes of an answer that nobody reads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisconnectPolicy {
    /// Go on, or stop.
    pub action: OnDisconnect,
    /// How long a reader may take to come back.
    pub grace: Duration,
}

/// Whether the response to the request that asked has begun.
#[derive(Debug, Clone)]
enum Opening {
    /// Not yet: a failure is still an ordinary error with its own status.
    Waiting,
    /// It has: a failure is an event in the stream.
    Open,
    /// It will not, and nobody can change that any more; what is to be undone is being undone.
    Refusing,
    /// It will not: this is the answer.
    Refused(ApiError),
}

/// How an answer ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The status of the message.
    pub status: MessageStatus,
    /// Why it is not complete, if the model or the service failed.
    pub error: Option<ApiError>,
    /// The model that answered.
    pub model: Arc<str>,
    /// The answer's id, as the model gave it or as the service named it.
    pub completion_id: String,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// What it used.
    pub usage: AnswerUsage,
    /// It waits in the outbox and cannot be read in the conversation yet.
    pub pending: bool,
    /// The model's own completion, where the answer came whole.
    pub completion: Option<Bytes>,
}

/// The answer. Shared by the task that produces it, by its readers and by the engine.
#[derive(Debug)]
pub struct Generation {
    /// Its id.
    pub id: StreamId,
    /// Whose it is.
    pub user_id: UserId,
    /// The request that asked for it.
    pub request_id: Arc<str>,
    /// What it is for.
    pub kind: Kind,
    /// Whether the client reads it as a stream.
    pub streamed: bool,
    /// When it was begun.
    pub created: DateTime<Utc>,
    pub(super) policy: DisconnectPolicy,
    pub(super) log: ReplayLog,
    /// Cancelled when the answer must stop: on request, or with the process.
    pub(super) stop: CancellationToken,
    draft: Mutex<Draft>,
    waited: OnceLock<Duration>,
    opening: watch::Sender<Opening>,
    readers: watch::Sender<usize>,
    /// When somebody was last known to read it at another instance.
    read_elsewhere: Mutex<Option<Instant>>,
    ending: watch::Sender<Option<Arc<Ending>>>,
    metrics: Arc<Metrics>,
}

/// What a new [`Generation`] is made of.
pub(super) struct NewGeneration {
    pub(super) id: StreamId,
    pub(super) user_id: UserId,
    pub(super) request_id: Arc<str>,
    pub(super) kind: Kind,
    pub(super) streamed: bool,
    pub(super) created: DateTime<Utc>,
    pub(super) policy: DisconnectPolicy,
    pub(super) log: ReplayLog,
    pub(super) stop: CancellationToken,
    pub(super) metrics: Arc<Metrics>,
}

impl Generation {
    pub(super) fn new(new: NewGeneration) -> Self {
        Self {
            id: new.id,
            user_id: new.user_id,
            request_id: new.request_id,
            kind: new.kind,
            streamed: new.streamed,
            created: new.created,
            policy: new.policy,
            log: new.log,
            stop: new.stop,
            draft: Mutex::new(Draft::new(matches!(new.kind, Kind::Conversation(_)))),
            waited: OnceLock::new(),
            opening: watch::Sender::new(Opening::Waiting),
            readers: watch::Sender::new(0),
            read_elsewhere: Mutex::default(),
            ending: watch::Sender::new(None),
            metrics: new.metrics,
        }
    }

    /// The text so far. Held for as long as a push takes, never across an await.
    pub(super) fn draft(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the model was waited for until its first chunk, if that has come.
    #[must_use]
    pub fn waited(&self) -> Option<Duration> {
        self.waited.get().copied()
    }

    pub(super) fn model_answered(&self, waited: Duration) {
        // There is one task, and it says so once.
        let _ = self.waited.set(waited);
    }

    /// The ids of the turn, in conversation chat.
    #[must_use]
    pub const fn turn(&self) -> Option<&TurnIds> {
        match &self.kind {
            Kind::Conversation(ids) => Some(ids),
            Kind::Stateless { .. } => None,
        }
    }

    /// Puts the first event of a conversation's stream into the log, which is there before the model is asked.
    pub(super) fn begin_log(&self, model: &str) {
        if let Kind::Conversation(turn) = &self.kind {
            let id = frames::own_completion_id(self.id);
            self.draft().mark(Gain::NOTHING);
            self.log.append(&frames::opening(self.naming(&id, model), *turn));
        }
    }

    /// How the service's own chunks name the answer.
    pub(super) const fn naming<'a>(&self, id: &'a str, model: &'a str) -> Naming<'a> {
        Naming {
            id,
            model,
            created: self.created,
        }
    }

    /// Says that readers see the stream from now on.
    pub(super) fn open(&self) {
        self.opening.send_if_modified(|opening| {
            let waiting = matches!(opening, Opening::Waiting);
            if waiting {
                *opening = Opening::Open;
            }
            waiting
        });
    }

    /// Decides that there will be no answer, unless somebody has seen something of it: false then.
    pub(super) fn begin_refusal(&self) -> bool {
        self.opening.send_if_modified(|opening| {
            let waiting = matches!(opening, Opening::Waiting);
            if waiting {
                *opening = Opening::Refusing;
            }
            waiting
        })
    }

    /// Whether it was decided that there will be no answer.
    pub(super) fn is_refused(&self) -> bool {
        matches!(*self.opening.borrow(), Opening::Refusing | Opening::Refused(_))
    }

    /// Tells whoever waits for the response that there will be none. Where it has begun, the stream has told.
    pub(super) fn refuse(&self, error: &ApiError) {
        self.opening.send_if_modified(|opening| {
            let undecided = matches!(opening, Opening::Waiting | Opening::Refusing);
            if undecided {
                *opening = Opening::Refused(error.clone());
            }
            undecided
        });
    }

    /// Waits for the model's first chunk, at most so long; the stream is open then.
    ///
    /// # Errors
    /// Why there will be no answer.
    pub async fn opened(&self, limit: Duration) -> Result<(), ApiError> {
        let mut opening = self.opening.subscribe();
        let answered = opening.wait_for(|opening| !matches!(opening, Opening::Waiting));
        if tokio::time::timeout(limit, answered).await.is_err() {
            self.open();
        }
        // A refusal that has begun is not far from its end.
        let decided = opening.wait_for(|opening| matches!(opening, Opening::Open | Opening::Refused(_)));
        match decided.await.as_deref() {
            Ok(Opening::Refused(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    pub(super) fn end(&self, ending: Ending) {
        self.ending.send_replace(Some(Arc::new(ending)));
    }

    /// Ends it for everybody, where its task can no longer do so.
    pub(super) fn lose(&self, error: ApiError) {
        self.log.append(&frames::error(&error, &self.request_id));
        self.log.end(frames::DONE);
        self.refuse(&error);
        self.end(Ending {
            status: MessageStatus::Failed,
            error: Some(error),
            model: Arc::from(""),
            completion_id: frames::own_completion_id(self.id),
            finish_reason: None,
            usage: AnswerUsage::default(),
            pending: false,
            completion: None,
        });
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ending(&self) -> Option<Arc<Ending>> {
        self.ending.borrow().clone()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// `STREAM_INTERRUPTED` if its task died, which would be a fault of ours.
    pub async fn ended(&self) -> Result<Arc<Ending>, ApiError> {
        let mut ending = self.ending.subscribe();
        let ended = ending.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|ending| ending.clone())
            .ok_or_else(|| ApiError::new(ErrorCode::StreamInterrupted, "The answer was lost."))
    }

    /// Asks it to stop; it stores what it has.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Attaches a reader that starts after the event `after` (0: at the start).
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, after: u64) -> Subscription {
        self.readers.send_modify(|readers| *readers += 1);
        self.metrics.stream_subscribers.inc();
        Subscription {
            progress: self.log.watch(),
            generation: self.clone(),
            next: self.log.begin_after(after),
            delivered: false,
            done: false,
        }
    }

    /// Completes when nobody has been reading for the policy's grace; never, if the policy is to go on.
    pub(super) async fn abandoned(&self) {
        if self.policy.action == OnDisconnect::Continue {
            return std::future::pending().await;
        }
        let mut readers = self.readers.subscribe();
        loop {
            // The sender lives as long as `self`.
            if readers.wait_for(|readers| *readers == 0).await.is_err() {
                return;
            }
            let left = Instant::now();
            loop {
                let until = self.expected_until(left);
                let back = tokio::time::timeout_at(until, readers.wait_for(|readers| *readers > 0));
                if back.await.is_ok() {
                    break;
                }
                if self.expected_until(left) <= until {
                    return;
                }
            }
        }
    }

    /// Until when a reader may come back, if the last one here left then.
    fn expected_until(&self, left: Instant) -> Instant {
        let grace = self.policy.grace;
        let elsewhere = *self.read_elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let elsewhere = elsewhere.map(|at| at + grace.max(READ_ELSEWHERE_FOR));
        elsewhere.map_or(left + grace, |until| until.max(left + grace))
    }

    /// Notes that somebody reads it at another instance.
    pub(super) fn note_reader_elsewhere(&self) {
        let mut elsewhere = self.read_elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        *elsewhere = Some(Instant::now());
    }
}

/// One reader of an answer. Dropping it before the end is a disconnect.
#[derive(Debug)]
pub struct Subscription {
    generation: Arc<Generation>,
    progress: watch::Receiver<u64>,
    next: u64,
    delivered: bool,
    done: bool,
}

/// What a reader gets next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Whole events, as they go over the wire.
    Events(Bytes),
    /// Nothing came for as long as it was willing to wait.
    Silence,
    /// The stream is over.
    End,
}

impl Subscription {
    /// The answer that is read.
    #[must_use]
    pub const fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// The next events, at once if there are any, else when there are, but no later than `patience` from now.
    pub async fn next(&mut self, patience: Duration) -> Next {
        let deadline = Instant::now() + patience;
        loop {
            // Marked as seen first: what is appended from here on wakes the wait below.
            self.progress.borrow_and_update();
            match self.generation.log.read(self.next) {
                Read::Events(bytes, next) => {
                    self.next = next;
                    self.delivered = true;
                    return Next::Events(bytes);
                }
                Read::End => {
                    self.done = true;
                    // Whoever waited for an event that never came is told that the stream has ended.
                    let last = self.generation.log.last().filter(|_| !self.delivered);
                    self.delivered = true;
                    return last.map_or(Next::End, Next::Events);
                }
                Read::Lost => return self.lost(),
                Read::Pending => {}
            }
            if tokio::time::timeout_at(deadline, self.progress.changed())
                .await
                .is_err()
            {
                return Next::Silence;
            }
        }
    }

    /// Ends a reader whose place in the log had to be given up for want of memory.
    fn lost(&mut self) -> Next {
        if self.done {
            return Next::End;
        }
        self.done = true;
        let error = ApiError::new(
            ErrorCode::StreamInterrupted,
            "This part of the stream is no longer kept. The whole answer is stored when it is complete.",
        );
        let error = match self.generation.turn() {
            Some(turn) => error.with_detail("message_id", turn.message_id.to_string()),
            None => error,
        };
        // After all that there are: those that follow here belong to events which the reader may still come back for.
        let id = self.generation.log.next_id().max(self.next);
        let mut events = BytesMut::new();
        write_frame(
            &mut events,
            id,
            &frames::error(&error, &self.generation.request_id),
        );
        write_frame(&mut events, id + 1, frames::DONE);
        Next::Events(events.freeze())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.generation.readers.send_modify(|readers| *readers -= 1);
        self.generation.metrics.stream_subscribers.dec();
        if !self.done && !self.generation.log.has_ended() {
            self.generation.metrics.stream_disconnects.inc();
        }
    }
}
