//! Dead letters that only the disk takes: lines of the journal that nobody can read, and entries that neither the store
//! nor the outbox table took.
//!
//! The service appends to `outbox.dead`. Whoever wants them tried again renames it to `outbox.retry`, which the service
//! takes up: so no file is ever written by two processes.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::{OutboxEntry, disk};
use crate::models::ids::{StreamId, UserId};

/// The file never grows beyond this by entries that were refused. What stays in the journal then is tried again.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The file of a data folder.
#[derive(Debug)]
pub struct DeadFile {
    path: PathBuf,
    retried: PathBuf,
    /// How long the file was when its letters were last counted, and how many there were.
    counted: Mutex<(u64, u64)>,
}

/// A dead letter in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLine {
    /// Its line, from 1.
    pub line: usize,
    /// How long it is.
    pub bytes: usize,
    /// Its stream and when it ended, if it can be read.
    pub entry: Option<(StreamId, DateTime<Utc>)>,
}

impl DeadFile {
    /// The file of this data folder, which need not be there.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        Self {
            path: data_dir.join("outbox.dead"),
            retried: data_dir.join("outbox.retry"),
            counted: Mutex::default(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All that is in it.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn letters(&self) -> io::Result<Vec<DeadLine>> {
        let bytes = disk::read(&self.path)?;
        let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
        let letters = lines.filter(|(text, _)| !text.is_empty());
        let letters = letters.map(|(text, line)| DeadLine {
            line,
            bytes: text.len(),
            entry: serde_json::from_slice(text)
                .ok()
                .map(|entry: OutboxEntry| (entry.id(), entry.happened_at())),
        });
        Ok(letters.collect())
    }

    /// Has all of them tried again by the service that uses this data folder, and tells how many that is: within a second,
    /// or when it starts.
    ///
    /// # Errors
    /// `AlreadyExists` if the service has not taken up those of the last time yet; or if the folder cannot be written.
    pub fn retry(&self) -> io::Result<usize> {
        let letters = self.letters()?.len();
        if letters == 0 {
            return Ok(0);
        }
        if self.retried.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.path, &self.retried)?;
        disk::sync_folder_of(&self.path)?;
        Ok(letters)
    }

    /// How many are in it. They are counted anew only where the file's length has changed.
    pub(super) fn count(&self) -> io::Result<u64> {
        let bytes = disk::length(&self.path)?;
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.0 != bytes {
            *counted = (bytes, if bytes == 0 { 0 } else { self.count_lines()? });
        }
        Ok(counted.1)
    }

    fn count_lines(&self) -> io::Result<u64> {
        let (mut file, mut line, mut count) = (BufReader::new(File::open(&self.path)?), Vec::new(), 0);
        while file.read_until(b'\n', &mut line)? > 0 {
            count += u64::from(line != b"\n");
            line.clear();
        }
        Ok(count)
    }

    /// Adds an entry that was refused too often.
    pub(super) fn add(&self, line: &[u8]) -> io::Result<()> {
        self.append(line, MAX_BYTES)
    }

    /// Adds what cannot be read, however full it is: there is no other place for it.
    pub(super) fn add_unreadable(&self, lines: &[u8]) -> io::Result<()> {
        self.append(lines, u64::MAX)
    }

    /// Behind a line break of its own: a line before it may have been cut short.
    fn append(&self, lines: &[u8], limit: u64) -> io::Result<()> {
        disk::append(&self.path, &[b"\n", lines].concat(), limit)
    }

    /// The letters of a user that can be read, and how many there are with those that cannot.
    pub(super) fn letters_of(&self, user: UserId) -> io::Result<(Vec<OutboxEntry>, u64)> {
        let bytes = disk::read(&self.path)?;
        let letters = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| is_of(line, user));
        let mut found = 0;
        let readable = letters.filter_map(|line| {
            found += 1;
            serde_json::from_slice(line).ok()
        });
        Ok((readable.collect(), found))
    }

    /// Removes the letters of a user.
    pub(super) fn forget(&self, user: UserId) -> io::Result<()> {
        let bytes = disk::read(&self.path)?;
        let lines = bytes.split(|byte| *byte == b'\n');
        let rest: Vec<&[u8]> = lines
            .filter(|line| !line.is_empty() && !is_of(line, user))
            .collect();
        if rest.is_empty() {
            return disk::remove(&self.path);
        }
        let mut text = rest.join(&b'\n');
        text.push(b'\n');
        disk::replace(&self.path, &text)
    }

    /// What is to be tried again.
    pub(super) fn retried(&self) -> io::Result<Vec<u8>> {
        disk::read(&self.retried)
    }

    /// Forgets what was to be tried again: it is somewhere else now.
    pub(super) fn forget_retried(&self) -> io::Result<()> {
        disk::remove(&self.retried)
    }
}

/// Whether a letter is this user's. One that cannot be read is known by how the id stands in it.
fn is_of(line: &[u8], user: UserId) -> bool {
    match serde_json::from_slice::<OutboxEntry>(line) {
        Ok(entry) => entry.user_id() == user,
        Err(_) => memchr::memmem::find(line, format!("\"user_id\":\"{user}\"").as_bytes()).is_some(),
    }
}
