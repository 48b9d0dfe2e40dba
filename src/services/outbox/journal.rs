//! The outbox's last resort: a file of JSON lines in the data folder, fsynced before an entry counts as kept.
//!
//! It is bounded, and read whole into memory at start. Removing an entry writes the rest to a new file and
//! renames it, so that a crash leaves either the old or the new one.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
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
    entries: Mutex<Vec<OutboxEntry>>,
}

impl Journal {
    /// Reads the journal of an earlier run, if there is one. A line that a crash cut short is left out, even in the
    /// middle of a character.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let path = data_dir.join("outbox.jsonl");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(JournalError::Io { path, source }),
        };
        let mut entries = Vec::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(entry) => entries.push(entry),
                Err(error) => tracing::error!(%error, "a line of the journal cannot be read and is left out"),
            }
        }
        Ok(Self(Arc::new(Inner {
            path,
            entries: Mutex::new(entries),
        })))
    }

    /// What it holds, the oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<OutboxEntry> {
        self.0.lock().clone()
    }

    /// Adds an entry and returns once it is on the disk.
    ///
    /// # Errors
    /// If it is full, or cannot be written.
    pub async fn append(&self, entry: OutboxEntry) -> Result<(), JournalError> {
        self.change(move |inner| inner.append(entry)).await
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// If the file cannot be written; the entry stays then.
    pub async fn remove(&self, id: StreamId) -> Result<(), JournalError> {
        self.change(move |inner| inner.remove(id)).await
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
    fn lock(&self) -> MutexGuard<'_, Vec<OutboxEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut entries = self.lock();
        let mut file = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(&self.path)
            .map_err(|e| self.failed(e))?;
        let held = file.metadata().map_err(|e| self.failed(e))?.len();
        // What a crash or a full disk cut short must not make this entry unreadable too.
        if !ends_with_a_line(&mut file, held).map_err(|e| self.failed(e))? {
            line.insert(0, b'\n');
        }
        if held + line.len() as u64 > MAX_BYTES {
            return Err(JournalError::Full);
        }
        file.write_all(&line)
            .and_then(|()| file.sync_all())
            .map_err(|e| self.failed(e))?;
        entries.push(entry);
        Ok(())
    }

    fn remove(&self, id: StreamId) -> Result<(), JournalError> {
        let mut entries = self.lock();
        let rest: Vec<_> = entries.iter().filter(|entry| entry.id() != id).cloned().collect();
        if rest.is_empty() {
            fs::remove_file(&self.path).map_err(|e| self.failed(e))?;
        } else {
            let new = self.path.with_extension("jsonl.new");
            let mut file = File::create(&new).map_err(|e| self.failed(e))?;
            for entry in &rest {
                let mut line = serde_json::to_vec(entry)?;
                line.push(b'\n');
                file.write_all(&line).map_err(|e| self.failed(e))?;
            }
            file.sync_all()
                .and_then(|()| fs::rename(&new, &self.path))
                .map_err(|e| self.failed(e))?;
        }
        *entries = rest;
        Ok(())
    }
}

fn ends_with_a_line(file: &mut File, length: u64) -> io::Result<bool> {
    if length == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ids::UserId;
    use crate::models::message::MessageStatus;
    use crate::services::billing::UsageEvent;
    use crate::services::conversations::AnswerUsage;
    use crate::utils::clock::Clock;

    fn entry() -> OutboxEntry {
        let clock = Clock::system();
        OutboxEntry::Usage(UsageEvent {
            id: StreamId::new(&clock),
            user_id: UserId::new(&clock),
            request_id: "req".into(),
            conversation_id: None,
            message_id: None,
            model: "ünïcode".into(),
            status: MessageStatus::Completed,
            streamed: true,
            usage: AnswerUsage::default(),
            latency_ms: None,
            first_token_ms: None,
            created_at: clock.now(),
        })
    }

    fn ids(journal: &Journal) -> Vec<StreamId> {
        journal.entries().iter().map(OutboxEntry::id).collect()
    }

    #[tokio::test]
    async fn keeps_what_was_appended_and_not_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path()).expect("no journal yet");
        let (one, two) = (entry(), entry());
        for entry in [&one, &two] {
            journal.append(entry.clone()).await.expect("an append");
        }
        journal.remove(one.id()).await.expect("a removal");
        let reopened = Journal::open(folder.path()).expect("a journal");
        assert_eq!(ids(&reopened), [two.id()]);
        reopened.remove(two.id()).await.expect("a removal");
        assert!(!folder.path().join("outbox.jsonl").exists());
    }

    #[tokio::test]
    async fn a_line_cut_anywhere_costs_no_other_entry() {
        let whole = serde_json::to_vec(&entry()).expect("JSON");
        let in_a_character = whole.iter().position(|byte| *byte == 0xC3).expect("an umlaut") + 1;
        for cut in [1, in_a_character, whole.len() - 1] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("outbox.jsonl"), &whole[..cut]).expect("a file");
            let journal = Journal::open(folder.path()).expect("a journal");
            assert_eq!(ids(&journal), []);
            let (one, two) = (entry(), entry());
            for entry in [&one, &two] {
                journal.append(entry.clone()).await.expect("an append");
            }
            let reopened = Journal::open(folder.path()).expect("a journal");
            assert_eq!(ids(&reopened), [one.id(), two.id()], "cut at {cut}");
        }
    }
}
