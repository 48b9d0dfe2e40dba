//! The outbox's last resort: a file of JSON lines in the data folder, fsynced before an entry counts as kept.
//!
//! It is bounded, and read whole into memory at start. Removing an entry writes the rest to a new file and
//! renames it, so that a crash leaves either the old or the new one. What can never be delivered leaves it for the
//! [`DeadFile`] beside it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::dead_file::DeadFile;
use super::{OutboxEntry, disk};
use crate::models::ids::{StreamId, UserId};

/// The journal never grows beyond this.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Why the journal failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file, or the dead letters beside it, cannot be read or written.
    #[error("the journal {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds as much as it may.
    #[error("the journal is full ({MAX_BYTES} bytes)")]
    Full,
    /// An entry cannot be written as JSON.
    #[error("an entry cannot be written: {0}")]
    Entry(#[from] serde_json::Error),
    /// The writing thread died.
    #[error("the write was abandoned")]
    Abandoned,
}

/// The file and what it holds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Held while the file or the dead letters are changed, by threads that may block.
    file: Mutex<()>,
    entries: Mutex<Vec<Arc<OutboxEntry>>>,
    dead: DeadFile,
    /// Dead letters, when they were last looked at.
    dead_count: AtomicU64,
}

impl Journal {
    /// Reads the journal of an earlier run, if there is one. What cannot be read of it, such as a last line that a crash
    /// cut short, goes to the dead letters.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let path = data_dir.join("outbox.jsonl");
        let inner = Inner {
            file: Mutex::new(()),
            entries: Mutex::default(),
            dead: DeadFile::of(data_dir),
            dead_count: AtomicU64::new(0),
            path,
        };
        let bytes = disk::read(&inner.path).map_err(|e| inner.failed(e))?;
        let (entries, unreadable) = parse(&bytes);
        *inner.lock() = entries;
        inner.put_aside(&unreadable)?;
        if !unreadable.is_empty() || bytes.last().is_some_and(|last| *last != b'\n') {
            // Else the next entry would continue a line that was cut short, and be lost with it.
            inner.rewrite(&inner.entries())?;
        }
        inner.look()?;
        Ok(Self(Arc::new(inner)))
    }

    /// What it holds, the oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Arc<OutboxEntry>> {
        self.0.entries()
    }

    /// How many entries it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When the oldest of what its entries tell of happened.
    #[must_use]
    pub fn oldest(&self) -> Option<DateTime<Utc>> {
        self.0.lock().iter().map(|entry| entry.happened_at()).min()
    }

    /// Dead letters beside it, when they were last [looked at](Self::look).
    #[must_use]
    pub fn dead_letters(&self) -> u64 {
        self.0.dead_count.load(Ordering::Relaxed)
    }

    /// Adds an entry and returns once it is on the disk.
    ///
    /// # Errors
    /// If it is full, or cannot be written.
    pub async fn append(&self, entry: OutboxEntry) -> Result<(), JournalError> {
        self.change(move |inner| inner.append(Arc::new(entry))).await
    }

    /// Removes entries, with one new file for all of them.
    ///
    /// # Errors
    /// If the file cannot be written; the entries stay then.
    pub async fn remove(&self, ids: Vec<StreamId>) -> Result<(), JournalError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.change(move |inner| inner.remove(&ids)).await
    }

    /// Adds an entry to the dead letters. It is still to be [removed](Self::remove) from here.
    ///
    /// # Errors
    /// If their file cannot be written, or is full.
    pub async fn bury(&self, entry: Arc<OutboxEntry>) -> Result<(), JournalError> {
        self.change(move |inner| inner.bury(&entry)).await
    }

    /// The dead letters of a user that can be read, and how many there are with those that cannot.
    ///
    /// # Errors
    /// If their file cannot be read.
    pub fn dead_of(&self, user: UserId) -> Result<(Vec<OutboxEntry>, u64), JournalError> {
        let _file = self.0.lock_file();
        self.0.dead.letters_of(user).map_err(|e| self.0.failed(e))
    }

    /// Removes the dead letters of a user.
    ///
    /// # Errors
    /// If their file cannot be written; all of them stay then.
    pub async fn forget_dead(&self, user: UserId) -> Result<(), JournalError> {
        self.change(move |inner| {
            let _file = inner.lock_file();
            inner.dead.forget(user).map_err(|e| inner.failed(e))
        })
        .await
    }

    /// Takes up the dead letters that somebody wants tried again, and counts the others.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub async fn look(&self) -> Result<(), JournalError> {
        self.change(Inner::look).await
    }

    /// Runs on a thread that may block on the disk.
    async fn change<F>(&self, change: F) -> Result<(), JournalError>
    where
        F: FnOnce(&Inner) -> Result<(), JournalError> + Send + 'static,
    {
        let inner = self.0.clone();
        tokio::task::spawn_blocking(move || change(&inner))
            .await
            .map_err(|_| JournalError::Abandoned)?
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<OutboxEntry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries(&self) -> Vec<Arc<OutboxEntry>> {
        self.lock().clone()
    }

    fn lock_file(&self) -> MutexGuard<'_, ()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, source: io::Error) -> JournalError {
        if source.kind() == io::ErrorKind::FileTooLarge {
            return JournalError::Full;
        }
        JournalError::Io {
            path: self.path.clone(),
            source,
        }
    }

    fn append(&self, entry: Arc<OutboxEntry>) -> Result<(), JournalError> {
        let line = line(&entry)?;
        let _file = self.lock_file();
        disk::append(&self.path, &line, MAX_BYTES).map_err(|e| self.failed(e))?;
        self.lock().push(entry);
        Ok(())
    }

    fn remove(&self, ids: &[StreamId]) -> Result<(), JournalError> {
        let _file = self.lock_file();
        let mut rest = self.entries();
        rest.retain(|entry| !ids.contains(&entry.id()));
        self.rewrite(&rest)?;
        *self.lock() = rest;
        Ok(())
    }

    /// Replaces the file by one with these entries; without any there is none.
    fn rewrite(&self, entries: &[Arc<OutboxEntry>]) -> Result<(), JournalError> {
        if entries.is_empty() {
            return disk::remove(&self.path).map_err(|e| self.failed(e));
        }
        let mut text = Vec::new();
        for entry in entries {
            text.extend(line(entry)?);
        }
        disk::replace(&self.path, &text).map_err(|e| self.failed(e))
    }

    fn bury(&self, entry: &OutboxEntry) -> Result<(), JournalError> {
        let line = line(entry)?;
        let _file = self.lock_file();
        self.dead.add(&line).map_err(|e| self.failed(e))
    }

    /// Keeps what cannot be read for somebody who can.
    fn put_aside(&self, lines: &[u8]) -> Result<(), JournalError> {
        if lines.is_empty() {
            return Ok(());
        }
        let _file = self.lock_file();
        self.dead.add_unreadable(lines).map_err(|e| self.failed(e))
    }

    fn look(&self) -> Result<(), JournalError> {
        self.take_up_retried()?;
        let dead = self.dead.count().map_err(|e| self.failed(e))?;
        self.dead_count.store(dead, Ordering::Relaxed);
        Ok(())
    }

    /// An interruption on the way leaves some of them at both places, which does no harm.
    fn take_up_retried(&self) -> Result<(), JournalError> {
        let retried = self.dead.retried().map_err(|e| self.failed(e))?;
        if retried.is_empty() {
            return Ok(());
        }
        let (entries, unreadable) = parse(&retried);
        for entry in entries {
            let is_held = self.lock().iter().any(|held| held.id() == entry.id());
            if !is_held {
                self.append(entry)?;
            }
        }
        self.put_aside(&unreadable)?;
        self.dead.forget_retried().map_err(|e| self.failed(e))
    }
}

fn line(entry: &OutboxEntry) -> Result<Vec<u8>, JournalError> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

/// The entries of a file, and the lines that are none.
fn parse(bytes: &[u8]) -> (Vec<Arc<OutboxEntry>>, Vec<u8>) {
    let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(entry) => entries.push(Arc::new(entry)),
            Err(error) => {
                // What the parser says may quote the line.
                let (at, problem) = (error.column(), error.classify());
                tracing::error!(
                    at,
                    ?problem,
                    "a line of the journal cannot be read and is a dead letter now"
                );
                unreadable.extend_from_slice(line);
                unreadable.push(b'\n');
            }
        }
    }
    (entries, unreadable)
}

#[cfg(test)]
mod tests;
