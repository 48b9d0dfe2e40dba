//! What was found by all readers together.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::Failure;
use crate::latencies::Latencies;

/// So many problems are told in words; the others are only counted.
const TOLD: usize = 5;

/// Counts streams. Shared by all of their readers.
#[derive(Default)]
pub struct Tally {
    /// Between the model's writing of a chunk and the client's reading.
    pub latencies: Latencies,
    open: AtomicU32,
    most_open: AtomicU32,
    ended: AtomicUsize,
    lost: AtomicUsize,
    problems: Mutex<Vec<String>>,
}

impl Tally {
    /// Counts a stream as open until what this gives is dropped.
    pub fn open(&self) -> Open<'_> {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        Open(self)
    }

    /// Counts a stream that was read as its reader meant to, or lost.
    pub fn add(&self, result: Result<(), Failure>) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        let Err(problem) = result else { return };
        self.lost.fetch_add(1, Ordering::Relaxed);
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        if problems.len() < TOLD {
            problems.push(problem.to_string());
        }
    }

    /// The most that were open at once.
    pub fn most_open(&self) -> u32 {
        self.most_open.load(Ordering::Relaxed)
    }

    /// Streams that have ended, lost ones among them.
    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Streams of which something was not as it was written.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    /// What was wrong with the first of these.
    pub fn problems(&self) -> Vec<String> {
        let problems = self.problems.lock();
        problems.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An open stream.
pub struct Open<'a>(&'a Tally);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
