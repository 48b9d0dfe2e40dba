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

    pub(super) fn add(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
