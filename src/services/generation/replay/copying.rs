//! Which logs have events that are not copied yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::models::ids::StreamId;

/// The logs with events to be copied, each once.
///
/// While it is [open](Self::open), readers see an event when its copy is made, so that whoever has seen something of an
/// answer finds it at every other instance, too. While it is closed, nothing is queued and nobody waits.
#[derive(Debug, Default)]
pub struct CopyQueue {
    logs: Mutex<Vec<StreamId>>,
    added: Notify,
    is_open: AtomicBool,
}

impl CopyQueue {
    fn lock(&self) -> MutexGuard<'_, Vec<StreamId>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether readers wait for copies.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Has events queued, and readers wait for their copies, from now on.
    pub fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// Forgets what is queued; readers wait no longer for what is appended from now on.
    pub fn close(&self) {
        self.is_open.store(false, Ordering::Release);
        self.lock().clear();
    }

    /// Queues a log.
    pub fn add(&self, log: StreamId) {
        let mut logs = self.lock();
        logs.push(log);
        let first = logs.len() == 1;
        drop(logs);
        if first {
            self.added.notify_one();
        }
    }

    /// Takes the logs that are queued; waits until there is one.
    pub async fn take(&self) -> Vec<StreamId> {
        loop {
            let logs = self.take_now();
            if !logs.is_empty() {
                return logs;
            }
            self.added.notified().await;
        }
    }

    /// Takes the logs that are queued, if there are any.
    pub fn take_now(&self) -> Vec<StreamId> {
        std::mem::take(&mut *self.lock())
    }
}

/// Events of a log that are to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncopied {
    /// The id of the first.
    pub first: u64,
    /// The events, as they go over the wire.
    pub events: Vec<Bytes>,
    /// Whether they are the last ones.
    pub ends: bool,
}

impl Uncopied {
    /// The id that follows the last of them.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }
}
