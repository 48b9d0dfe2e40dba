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

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, watch};

use super::budget::ReplayBudget;
use super::copying::{CopyQueue, Uncopied};
use crate::models::ids::StreamId;
use crate::utils::sse::write_frame;

/// Events are copied into blocks of this size, so that most of them need no allocation of their own.
const BLOCK: usize = 4 * 1024;

/// A reader that is behind is given this much at once.
const MAX_READ: usize = 64 * 1024;

/// Unread bytes in a passing log before its writer waits.
const PASSING_HIGH_WATER: usize = 256 * 1024;

/// What an event costs in memory beside its bytes.
const EVENT_OVERHEAD: usize = size_of::<Bytes>();

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
    events: VecDeque<Bytes>,
    /// The id of `events[0]`, or of the next event where there is none.
    first: u64,
    /// The id of the first event that readers do not see yet.
    shown: u64,
    bytes: usize,
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
    fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// Whether readers have come to the end when they have seen all that is shown.
    fn is_over(&self) -> bool {
        self.ended && self.shown == self.next()
    }

    /// The last event, where readers see that it is the last.
    fn last(&self) -> Option<&Bytes> {
        self.events.back().filter(|_| self.is_over())
    }

    fn pop(&mut self) -> usize {
        let Some(event) = self.events.pop_front() else {
            return 0;
        };
        self.first += 1;
        self.shown = self.shown.max(self.first);
        let size = event.len() + EVENT_OVERHEAD;
        self.bytes -= size;
        size
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
            events: VecDeque::new(),
            first: 1,
            shown: 1,
            bytes: 0,
            ended: false,
            block: BytesMut::new(),
            copying: Copying {
                on: copies.is_some(),
                next: 1,
                queued: false,
            },
        };
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
        let id = inner.next();
        if inner.block.capacity() < payload.len() + 64 {
            inner.block = BytesMut::with_capacity(BLOCK.max(payload.len() + 64));
        }
        write_frame(&mut inner.block, id, payload);
        let event = inner.block.split().freeze();
        let size = event.len() + EVENT_OVERHEAD;
        inner.bytes += size;
        inner.events.push_back(event);
        inner.ended = last;
        if last {
            inner.block = BytesMut::new();
        }
        // Before anybody can read the event, and give its bytes back.
        if self.keeps {
            self.budget.add(size);
        }
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
        if !inner.copying.on || first < inner.first {
            return None;
        }
        let start = usize::try_from(first - inner.first).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let waiting = inner.events.iter().skip(start);
        let events: Vec<_> = waiting
            .take_while(|event| {
                let fits = bytes == 0 || bytes + event.len() <= max_bytes;
                bytes += event.len();
                fits
            })
            .cloned()
            .collect();
        let ends = inner.ended && start + events.len() >= inner.events.len();
        drop(inner);
        Some(Uncopied { first, events, ends })
    }

    /// Notes that there are copies of the events before `next`, and shows these. Tells whether there are more to copy.
    pub fn has_copied(&self, next: u64) -> bool {
        let mut inner = self.lock();
        inner.copying.next = next;
        let shown = next.min(inner.next());
        let is_new = shown > inner.shown;
        inner.shown = inner.shown.max(shown);
        let shown = inner.shown;
        let has_more = next < inner.next();
        drop(inner);
        if is_new {
            self.progress.send_replace(shown);
        }
        has_more
    }

    /// Shows all that there is, copied or not.
    pub fn show_all(&self) {
        let mut inner = self.lock();
        inner.shown = inner.next();
        let shown = inner.shown;
        drop(inner);
        self.progress.send_replace(shown);
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
        if from < inner.first {
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
        // Both are below the length of the queue.
        let index = |id: u64| usize::try_from(id - inner.first).unwrap_or(usize::MAX);
        let (start, end) = (index(from), index(next));
        let (bytes, count) = gather(&inner.events, start, end);
        if !self.keeps {
            let mut freed = 0;
            for _ in 0..start + count {
                freed += inner.pop();
            }
            drop(inner);
            self.release(freed);
            self.room.notify_one();
        }
        Read::Events(bytes, from + count as u64)
    }

    /// Waits until a passing log has room again; a kept one always has.
    pub async fn room(&self) {
        while !self.keeps && self.lock().bytes > PASSING_HIGH_WATER {
            self.room.notified().await;
        }
    }

    /// Forgets the older half of the events, at least one.
    pub fn trim(&self) {
        self.forget(|held| held.div_ceil(2));
    }

    /// Forgets all events: whoever still reads has lost them.
    pub fn clear(&self) {
        self.forget(|held| held);
    }

    fn forget(&self, how_many: impl FnOnce(usize) -> usize) {
        let mut inner = self.lock();
        let mut freed = 0;
        for _ in 0..how_many(inner.events.len()) {
            freed += inner.pop();
        }
        drop(inner);
        self.release(freed);
    }

    /// Only what is kept counts: a passing log has a bound of its own.
    fn release(&self, bytes: usize) {
        if self.keeps {
            self.budget.release(bytes);
        }
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The last event, if the log has ended and still holds it.
    #[must_use]
    pub fn last(&self) -> Option<Bytes> {
        self.lock().last().cloned()
    }

    /// The id of the next event.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.lock().next()
    }

    /// Where a reader begins who has seen the events up to `after`. Of an ended log everybody gets the last event
    /// at least, to know that it has ended.
    #[must_use]
    pub fn begin_after(&self, after: u64) -> u64 {
        let inner = self.lock();
        let from = after.saturating_add(1);
        if inner.is_over() {
            from.min(inner.next() - 1)
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
        let held = self.lock().bytes;
        self.release(held);
    }
}

/// One event as it is, or several copied together up to [`MAX_READ`]; and how many they are.
fn gather(events: &VecDeque<Bytes>, start: usize, end: usize) -> (Bytes, usize) {
    let mut waiting = events.iter().take(end).skip(start);
    let Some(first) = waiting.next() else {
        return (Bytes::new(), 0);
    };
    if start + 1 == end {
        return (first.clone(), 1);
    }
    let mut together = BytesMut::with_capacity(MAX_READ.min((end - start) * first.len()));
    together.extend_from_slice(first);
    let mut count = 1;
    for event in waiting {
        if together.len() + event.len() > MAX_READ {
            break;
        }
        together.extend_from_slice(event);
        count += 1;
    }
    (together.freeze(), count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn log(keeps: bool, limit: usize) -> (ReplayLog, Arc<ReplayBudget>) {
        let budget = Arc::new(ReplayBudget::new(limit));
        (ReplayLog::new(keeps, budget.clone()), budget)
    }

    fn text(read: Read) -> String {
        match read {
            Read::Events(bytes, _) => String::from_utf8_lossy(&bytes).into_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn reads_from_anywhere_and_ends() {
        let (log, _) = log(true, 1 << 20);
        log.append(b"a");
        log.append(b"b");
        assert_eq!(text(log.read(1)), "id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
        assert_eq!(text(log.read(2)), "id: 2\ndata: b\n\n");
        assert!(matches!(log.read(3), Read::Pending));
        log.end(b"[DONE]");
        log.append(b"too late");
        assert_eq!(text(log.read(3)), "id: 3\ndata: [DONE]\n\n");
        assert!(matches!(log.read(4), Read::End));
        assert_eq!(
            text(log.read(99)),
            "id: 3\ndata: [DONE]\n\n",
            "from the future of an ended answer"
        );
    }

    #[test]
    fn gives_back_what_it_held() {
        let (log, budget) = log(true, 100);
        for _ in 0..10 {
            log.append(b"0123456789");
        }
        assert!(budget.is_exceeded());
        log.trim();
        assert!(matches!(log.read(1), Read::Lost));
        assert!(text(log.read(10)).contains("id: 10"));
        drop(log);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_passing_log_forgets_and_holds_up_its_writer() {
        let (log, budget) = log(false, 1 << 30);
        log.append(&vec![b'x'; PASSING_HIGH_WATER]);
        let wait = tokio::time::timeout(std::time::Duration::from_millis(5), log.room());
        assert!(wait.await.is_err(), "the writer waits");
        assert!(text(log.read(1)).starts_with("id: 1"));
        log.room().await;
        assert!(matches!(log.read(1), Read::Lost));
        assert_eq!(budget.used(), 0, "it has a bound of its own");
    }

    fn copied(queue: &Arc<CopyQueue>) -> ReplayLog {
        let name = StreamId(uuid::Uuid::nil());
        ReplayLog::copied(name, queue.clone(), Arc::new(ReplayBudget::new(1 << 20)))
    }

    #[test]
    fn readers_see_what_is_copied() {
        let queue = Arc::new(CopyQueue::default());
        queue.open();
        let log = copied(&queue);
        log.append(b"a");
        log.append(b"b");
        assert_eq!(queue.take_now().len(), 1, "it is queued once");
        assert!(matches!(log.read(1), Read::Pending));
        let first = log.uncopied(1).expect("it is copied");
        assert_eq!((first.first, first.events.len(), first.ends), (1, 1, false));
        log.end(b"[DONE]");
        assert_eq!(queue.take_now().len(), 1, "there is more since");
        assert!(log.has_copied(first.next()));
        assert_eq!(text(log.read(1)), "id: 1\ndata: a\n\n");
        assert!(!log.has_ended());
        let rest = log.uncopied(1 << 20).expect("it is copied");
        assert_eq!((rest.first, rest.events.len(), rest.ends), (2, 2, true));
        assert!(!log.has_copied(rest.next()));
        assert!(log.has_ended());
        assert!(text(log.read(2)).ends_with("data: [DONE]\n\n"));
    }

    #[test]
    fn nobody_waits_while_the_queue_is_closed() {
        let queue = Arc::new(CopyQueue::default());
        let log = copied(&queue);
        log.append(b"a");
        assert!(text(log.read(1)).contains("a"));
        queue.open();
        log.append(b"b");
        assert!(matches!(log.read(2), Read::Pending));
        queue.close();
        log.show_all();
        assert!(text(log.read(2)).contains("b"));
        assert_eq!(queue.take_now(), []);
        assert_eq!(log.uncopied(1 << 20).expect("it is copied").events.len(), 2);
    }

    #[test]
    fn a_copy_that_lost_events_is_made_again() {
        let queue = Arc::new(CopyQueue::default());
        queue.open();
        let log = copied(&queue);
        for _ in 0..4 {
            log.append(b"a");
        }
        log.has_copied(5);
        assert!(log.has_copied(1), "the copy is empty");
        assert_eq!(log.uncopied(1 << 20).expect("all of it").events.len(), 4);
        assert!(matches!(log.read(5), Read::Pending), "what was shown stays so");
        log.has_copied(1);
        log.trim();
        assert_eq!(
            log.uncopied(1 << 20),
            None,
            "what would be copied is not there any more"
        );
        assert!(log.stop_copying());
        assert!(!log.stop_copying());
    }

    proptest! {
        #[test]
        fn any_cut_of_the_reading_gives_the_same_bytes(
            payloads in prop::collection::vec("[a-z]{0,200}", 1..60),
            reads in prop::collection::vec(0_usize..60, 0..30),
        ) {
            let (log, _) = log(true, 1 << 30);
            let (mut seen, mut next, mut written) = (String::new(), 1, 0);
            for steps in reads {
                for payload in payloads.iter().skip(written).take(steps) {
                    log.append(payload.as_bytes());
                    written += 1;
                }
                while let Read::Events(bytes, after) = log.read(next) {
                    seen.push_str(&String::from_utf8_lossy(&bytes));
                    next = after;
                }
            }
            let expected: String =
                payloads.iter().take(written).enumerate().map(|(n, p)| format!("id: {}\ndata: {p}\n\n", n + 1)).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
