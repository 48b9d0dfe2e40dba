//! The replay log of one answer: its events as they go over the wire, for readers that come when they like.
//!
//! One task appends, any number of readers read. A reader asks for the events from an id on and is woken when
//! there are more; it never holds up the writer. Two kinds of log share the code: a *kept* log can be read again
//! from its start, a *passing* log forgets what its one reader has taken and makes the writer wait while that
//! reader is too far behind. A kept log may be *copied* to where other instances read it: its readers then see an event
//! when it has been copied, unless the queue for that is closed.
//!
//! Invariants: ids start at 1 and have no gaps; nothing follows the last event; all logs together stay within
//! the [`ReplayBudget`], because what is over it is trimmed from the oldest end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, watch};

use super::budget::ReplayBudget;
use super::copying::{CopyQueue, Uncopied};
use super::packed::Packed;
use crate::models::ids::StreamId;
use crate::utils::sse::write_frame;

/// New events are written into blocks of this size, so that most of them need no allocation of their own.
const BLOCK: usize = 1024;

/// A reader that is behind is given this much at once.
const MAX_READ: usize = 64 * 1024;

/// Unread bytes in a passing log, as it holds them, before its writer waits.
pub(super) const PASSING_HIGH_WATER: usize = 256 * 1024;

/// What a reader gets.
#[derive(Debug)]
pub enum Read {
    /// Whole events, and the id that follows them.
    Events(Bytes, u64),
    /// Nothing yet.
    Pending,
    /// Nothing more, ever.
    End,
    /// What was asked for had to be forgotten.
    Lost,
}

/// The log.
#[derive(Debug)]
pub struct ReplayLog {
    inner: Mutex<Inner>,
    /// The id of the next event; moves when there is something to read.
    progress: watch::Sender<u64>,
    room: Notify,
    keeps: bool,
    /// The name that it is queued for copying by, and where.
    copies: Option<(StreamId, Arc<CopyQueue>)>,
    budget: Arc<ReplayBudget>,
}

#[derive(Debug)]
struct Inner {
    payloads: Packed,
    /// The newest event as it goes over the wire, which most readers want next.
    newest: Bytes,
    /// The id of the next event.
    next: u64,
    /// Bytes of all events so far, as they go over the wire.
    written: usize,
    /// The id of the first event that readers do not see yet.
    shown: u64,
    ended: bool,
    block: BytesMut,
    copying: Copying,
}

/// How far a log is copied.
#[derive(Debug, Default)]
struct Copying {
    /// Whether it is copied at all.
    on: bool,
    /// The id of the first event that is not copied.
    next: u64,
    /// It waits in the queue.
    queued: bool,
}

impl Inner {
    /// The id of the oldest event that is held, or of the next where there is none.
    fn first(&self) -> u64 {
        self.payloads.first().unwrap_or(self.next)
    }

    /// Whether readers have come to the end when they have seen all that is shown.
    const fn is_over(&self) -> bool {
        self.ended && self.shown == self.next
    }

    /// The last event, where readers see that it is the last.
    fn last(&self) -> Option<&Bytes> {
        (self.is_over() && self.payloads.first().is_some()).then_some(&self.newest)
    }

    /// The events from `from` on and before `end`, one at least and no more than so many bytes; and how many they are.
    fn gather(&self, from: u64, end: u64, max_bytes: usize) -> (Bytes, u64) {
        if from + 1 == self.next {
            return (self.newest.clone(), 1);
        }
        let (mut together, mut count) = (BytesMut::new(), 0);
        self.payloads.read(from, |id, payload| {
            let fits = count == 0 || together.len() + payload.len() <= max_bytes;
            if id >= end || !fits {
                return false;
            }
            write_frame(&mut together, id, payload);
            count += 1;
            true
        });
        (together.freeze(), count)
    }

    /// Forgets the oldest events up to this id, as far as they fill blocks.
    fn forget_before(&mut self, id: u64) {
        while self.payloads.end_of_oldest().is_some_and(|end| end <= id) {
            self.payloads.forget_block();
        }
        self.shown = self.shown.max(self.first());
    }

    fn can_be_trimmed(&self) -> bool {
        self.payloads.end_of_spare().is_some_and(|end| end <= self.shown)
    }

    /// Bytes of memory that it takes, roughly.
    fn held(&self) -> usize {
        let block = if self.ended { 0 } else { BLOCK };
        size_of::<ReplayLog>() + block + self.newest.len() + self.payloads.bytes()
    }
}

impl ReplayLog {
    /// An empty log; `keeps` says whether it can be read again.
    #[must_use]
    pub fn new(keeps: bool, budget: Arc<ReplayBudget>) -> Self {
        Self::with_copies(keeps, None, budget)
    }

    /// An empty log that is kept and copied: this queue gets `name` when there is something to copy.
    #[must_use]
    pub fn copied(name: StreamId, queue: Arc<CopyQueue>, budget: Arc<ReplayBudget>) -> Self {
        Self::with_copies(true, Some((name, queue)), budget)
    }

    fn with_copies(
        keeps: bool,
        copies: Option<(StreamId, Arc<CopyQueue>)>,
        budget: Arc<ReplayBudget>,
    ) -> Self {
        let inner = Inner {
            payloads: Packed::default(),
            newest: Bytes::new(),
            next: 1,
            written: 0,
            shown: 1,
            ended: false,
            block: BytesMut::new(),
            copying: Copying {
                on: copies.is_some(),
                next: 1,
                queued: false,
            },
        };
        if keeps {
            budget.change(0, inner.held());
        }
        Self {
            inner: Mutex::new(inner),
            progress: watch::Sender::new(1),
            room: Notify::new(),
            keeps,
            copies,
            budget,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it can be read again from its start.
    #[must_use]
    pub const fn keeps(&self) -> bool {
        self.keeps
    }

    /// Appends an event with this payload. After the end, nothing is appended.
    pub fn append(&self, payload: &[u8]) {
        self.push(payload, false);
    }

    /// Appends the last event.
    pub fn end(&self, payload: &[u8]) {
        self.push(payload, true);
    }

    fn push(&self, payload: &[u8], last: bool) {
        let mut inner = self.lock();
        if inner.ended {
            return;
        }
        let id = inner.next;
        let before = inner.held();
        if inner.block.capacity() < payload.len() + 64 {
            inner.block = BytesMut::with_capacity(BLOCK.max(payload.len() + 64));
        }
        write_frame(&mut inner.block, id, payload);
        inner.newest = inner.block.split().freeze();
        inner.written += inner.newest.len();
        inner.payloads.push(id, payload);
        inner.next = id + 1;
        inner.ended = last;
        if last {
            // Of what stays, nothing holds more than it needs.
            inner.block = BytesMut::new();
            inner.newest = Bytes::copy_from_slice(&inner.newest);
            inner.payloads.finish();
        }
        self.account(before, &inner);
        // Read under the lock: whoever closes the queue shows everything afterwards.
        let queue = self
            .copies
            .as_ref()
            .filter(|(_, queue)| inner.copying.on && queue.is_open());
        let Some((name, queue)) = queue else {
            inner.shown = id + 1;
            drop(inner);
            self.progress.send_replace(id + 1);
            return;
        };
        let is_first = !std::mem::replace(&mut inner.copying.queued, true);
        drop(inner);
        if is_first {
            queue.add(*name);
        }
    }

    /// The next events to be copied, up to so many bytes of them but one at least, or none if all are; what is appended from
    /// now on queues the log again. `None` if it is not copied, or cannot be, since events had to be forgotten before.
    pub fn uncopied(&self, max_bytes: usize) -> Option<Uncopied> {
        let mut inner = self.lock();
        inner.copying.queued = false;
        let first = inner.copying.next;
        if !inner.copying.on || first < inner.first() {
            return None;
        }
        let (mut events, mut buffer, mut bytes) = (Vec::new(), BytesMut::new(), 0);
        if first + 1 == inner.next {
            events.push(inner.newest.clone());
        } else {
            inner.payloads.read(first, |id, payload| {
                let fits = bytes == 0 || bytes + payload.len() <= max_bytes;
                if fits {
                    bytes += payload.len();
                    write_frame(&mut buffer, id, payload);
                    events.push(buffer.split().freeze());
                }
                fits
            });
        }
        let ends = inner.ended && first + events.len() as u64 >= inner.next;
        drop(inner);
        Some(Uncopied { first, events, ends })
    }

    /// Notes that there are copies of the events before `next`, and shows these.
    pub fn has_copied(&self, next: u64) {
        let mut inner = self.lock();
        inner.copying.next = next;
        let shown = next.min(inner.next);
        let is_new = shown > inner.shown;
        inner.shown = inner.shown.max(shown);
        let shown = inner.shown;
        drop(inner);
        if is_new {
            self.progress.send_replace(shown);
        }
    }

    /// Whether there is more to copy, and it is not queued; it counts as queued from now on.
    pub fn needs_turn(&self) -> bool {
        let mut inner = self.lock();
        let Copying { next, on, queued } = inner.copying;
        let needs_turn = on && !queued && next < inner.next;
        inner.copying.queued |= needs_turn;
        needs_turn
    }

    /// The id of the first event that is not copied.
    #[must_use]
    pub fn copied_until(&self) -> u64 {
        self.lock().copying.next
    }

    /// Shows all that there is, copied or not.
    pub fn show_all(&self) {
        let mut inner = self.lock();
        let is_new = inner.shown < inner.next;
        inner.shown = inner.next;
        let shown = inner.shown;
        drop(inner);
        if is_new {
            self.progress.send_replace(shown);
        }
    }

    /// Has nothing copied any more: readers wait for no copy. False if nothing was before.
    pub fn stop_copying(&self) -> bool {
        let was_on = std::mem::replace(&mut self.lock().copying.on, false);
        self.show_all();
        was_on
    }

    /// Queues it, if it is copied, even where it has nothing new.
    pub fn queue(&self) {
        let mut inner = self.lock();
        let Some((name, queue)) = self.copies.as_ref().filter(|_| inner.copying.on) else {
            return;
        };
        let is_first = !std::mem::replace(&mut inner.copying.queued, true);
        drop(inner);
        if is_first {
            queue.add(*name);
        }
    }

    /// The id of its last event, if that is there, whether or not readers see it.
    #[must_use]
    pub fn ends_at(&self) -> Option<u64> {
        let inner = self.lock();
        inner.ended.then(|| inner.next - 1)
    }

    /// Bytes of all its events so far, as they go over the wire: what a copy takes.
    #[must_use]
    pub fn written(&self) -> usize {
        self.lock().written
    }

    /// Whether it is copied.
    #[must_use]
    pub fn is_copied(&self) -> bool {
        self.lock().copying.on
    }

    /// Reads from the event `from` on.
    #[must_use]
    pub fn read(&self, from: u64) -> Read {
        let mut inner = self.lock();
        let next = inner.shown;
        if from < inner.first() {
            return Read::Lost;
        }
        if from >= next {
            // Whoever has seen more than there is of an ended answer is told that it has ended.
            return match inner.last() {
                Some(last) if from > next => Read::Events(last.clone(), next),
                _ if inner.is_over() => Read::End,
                _ => Read::Pending,
            };
        }
        let (bytes, count) = inner.gather(from, next, MAX_READ);
        if !self.keeps {
            inner.forget_before(from + count);
            drop(inner);
            self.room.notify_one();
        }
        Read::Events(bytes, from + count)
    }

    /// Waits until a passing log has room again; a kept one always has.
    pub async fn room(&self) {
        while !self.keeps && self.lock().payloads.bytes() > PASSING_HIGH_WATER {
            self.room.notified().await;
        }
    }

    /// Forgets the older half of the events, or a little less; one block of them at least, but neither the newest event nor
    /// what readers do not see yet. Tells whether it has forgotten anything.
    pub fn trim(&self) -> bool {
        let mut inner = self.lock();
        if !inner.can_be_trimmed() {
            return false;
        }
        let before = inner.held();
        let half = inner.first() + (inner.next - inner.first()) / 2;
        let end = half.min(inner.shown);
        inner.payloads.forget_block_but_newest();
        inner.forget_before(end);
        self.account(before, &inner);
        true
    }

    /// Bytes that it holds, if [trimming](Self::trim) it forgets some; else none.
    #[must_use]
    pub fn trimmable(&self) -> usize {
        let inner = self.lock();
        if inner.can_be_trimmed() { inner.held() } else { 0 }
    }

    /// Forgets all events: whoever still reads has lost them.
    pub fn clear(&self) {
        let mut inner = self.lock();
        let before = inner.held();
        inner.payloads = Packed::default();
        inner.newest = Bytes::new();
        inner.shown = inner.next;
        self.account(before, &inner);
        let shown = inner.shown;
        drop(inner);
        self.progress.send_replace(shown);
    }

    /// Counts what it holds, where it held so much before. Only what is kept counts: a passing log has a bound of its own.
    fn account(&self, before: usize, inner: &Inner) {
        if self.keeps {
            self.budget.change(before, inner.held());
        }
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().held()
    }

    /// The last event, if the log has ended and still holds it.
    #[must_use]
    pub fn last(&self) -> Option<Bytes> {
        self.lock().last().cloned()
    }

    /// The id of the next event.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.lock().next
    }

    /// Where a reader begins who has seen the events up to `after`. Of an ended log everybody gets the last event
    /// at least, to know that it has ended.
    #[must_use]
    pub fn begin_after(&self, after: u64) -> u64 {
        let inner = self.lock();
        let from = after.saturating_add(1);
        if inner.is_over() {
            from.min(inner.next - 1)
        } else {
            from
        }
    }

    /// Tells when there is more to read.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    /// Whether readers see the last event.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.lock().is_over()
    }
}

impl Drop for ReplayLog {
    fn drop(&mut self) {
        if self.keeps {
            self.budget.change(self.lock().held(), 0);
        }
    }
}
