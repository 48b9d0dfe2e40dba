//! What all logs may hold together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all logs may hold together (`REPLAY_MAX_BYTES`).
#[derive(Debug)]
pub struct ReplayBudget {
    used: AtomicUsize,
    limit: usize,
}

impl ReplayBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            limit,
        }
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether more is held than may be.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }

    /// Notes that one of them holds so much, where it held so much before.
    pub(super) fn change(&self, before: usize, now: usize) {
        if now >= before {
            self.used.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(before - now, Ordering::Relaxed);
        }
    }
}
