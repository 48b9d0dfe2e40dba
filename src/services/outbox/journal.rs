//! The outbox's last resort: a file of JSON lines in the data folder, fsynced before an entry counts as kept.
//!
//! It is bounded, and read whole into memory at start. Removing an entry writes the rest to a new file and
//! renames it, so that a crash leaves either the old or the new one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::OutboxEntry;
use crate::models::ids::StreamId;

/// The journal never grows beyond this.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Why the journal failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
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
    /// Held while the file is changed, by threads that may block.
    file: Mutex<()>,
    entries: Mutex<Vec<Arc<OutboxEntry>>>,
}

impl Journal {
    /// Reads the journal of an earlier run, if there is one. A last line that a crash cut short is left out.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let path = data_dir.join("outbox.jsonl");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(JournalError::Io { path, source }),
        };
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(entry) => entries.push(Arc::new(entry)),
                Err(error) => {
                    tracing::error!(%error, "a line of the journal cannot be read and is put aside");
                    unreadable.extend_from_slice(line);
                    unreadable.push(b'\n');
                }
            }
        }
        let inner = Inner {
            path,
            file: Mutex::new(()),
            entries: Mutex::new(entries),
        };
        if !unreadable.is_empty() {
            inner.put_aside(&unreadable)?;
        }
        if !unreadable.is_empty() || bytes.last().is_some_and(|last| *last != b'\n') {
            // Else the next entry would continue a line that was cut short, and be lost with it.
            inner.rewrite(&inner.entries())?;
        }
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

    /// Adds an entry and returns once it is on the disk.
    ///
    /// # Errors
    /// If it is full, or cannot be written.
    pub async fn append(&self, entry: OutboxEntry) -> Result<(), JournalError> {
        self.change(move |inner| inner.append(entry)).await
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
        JournalError::Io {
            path: self.path.clone(),
            source,
        }
    }

    fn append(&self, entry: OutboxEntry) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        let _file = self.lock_file();
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.path)
            .map_err(|e| self.failed(e))?;
        let held = file.metadata().map_err(|e| self.failed(e))?.len();
        if held + line.len() as u64 > MAX_BYTES {
            return Err(JournalError::Full);
        }
        let written = file.write_all(&line).and_then(|()| file.sync_all());
        if let Err(source) = written {
            // Half a line must not stay in front of the next one.
            let _ = file.set_len(held);
            return Err(self.failed(source));
        }
        self.lock().push(Arc::new(entry));
        if held == 0 {
            self.sync_folder()?;
        }
        Ok(())
    }

    fn remove(&self, ids: &[StreamId]) -> Result<(), JournalError> {
        let _file = self.lock_file();
        let mut rest = self.entries();
        rest.retain(|entry| !ids.contains(&entry.id()));
        if rest.is_empty() {
            fs::remove_file(&self.path).map_err(|e| self.failed(e))?;
            self.sync_folder()?;
        } else {
            self.rewrite(&rest)?;
        }
        *self.lock() = rest;
        Ok(())
    }

    /// Keeps what cannot be read for somebody who can.
    fn put_aside(&self, lines: &[u8]) -> Result<(), JournalError> {
        let path = self.path.with_extension("unreadable");
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|e| self.failed(e))?;
        file.write_all(lines)
            .and_then(|()| file.sync_all())
            .map_err(|e| self.failed(e))
    }

    /// Replaces the file by one with these entries.
    fn rewrite(&self, entries: &[Arc<OutboxEntry>]) -> Result<(), JournalError> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        let new = self.path.with_extension("jsonl.new");
        let replace = || {
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &self.path)
        };
        replace().map_err(|e| self.failed(e))?;
        self.sync_folder()
    }

    /// Makes it last that the file is there, or gone.
    fn sync_folder(&self) -> Result<(), JournalError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|e| self.failed(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ids::UserId;
    use crate::models::message::MessageStatus;
    use crate::services::billing::UsageEvent;
    use crate::services::conversations::AnswerUsage;
    use uuid::Uuid;

    fn entry(n: u128) -> OutboxEntry {
        OutboxEntry::Usage(Arc::new(UsageEvent {
            id: StreamId(Uuid::from_u128(n)),
            user_id: UserId(Uuid::from_u128(7)),
            request_id: "request".into(),
            conversation_id: None,
            message_id: None,
            model: "model".into(),
            status: MessageStatus::Completed,
            streamed: true,
            usage: AnswerUsage {
                cost: crate::models::money::Money::parse_dollars("1.5e-6"),
                ..AnswerUsage::default()
            },
            latency_ms: Some(1),
            first_token_ms: None,
            created_at: chrono::DateTime::UNIX_EPOCH,
        }))
    }

    fn ids(journal: &Journal) -> Vec<u128> {
        journal
            .entries()
            .iter()
            .map(|entry| entry.id().0.as_u128())
            .collect()
    }

    #[tokio::test]
    async fn outlives_the_process_and_a_torn_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path()).expect("a journal");
        for n in 1..=3 {
            journal.append(entry(n)).await.expect("kept");
        }
        journal
            .remove(vec![StreamId(Uuid::from_u128(2))])
            .await
            .expect("removed");
        let file = folder.path().join("outbox.jsonl");
        let text = fs::read_to_string(&file).expect("text");
        fs::write(&file, &text[..text.len() - 20]).expect("cut");

        let journal = Journal::open(folder.path()).expect("a journal");
        assert_eq!(ids(&journal), [1], "the torn entry is gone");
        journal.append(entry(4)).await.expect("kept");
        assert_eq!(ids(&Journal::open(folder.path()).expect("a journal")), [1, 4]);
        let all = [1, 4].map(|n| StreamId(Uuid::from_u128(n)));
        journal.remove(all.to_vec()).await.expect("removed");
        assert!(!file.exists());
    }
}
