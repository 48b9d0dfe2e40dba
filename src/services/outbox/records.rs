//! The outbox table, as the outbox sees it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{OutboxEntry, Tries};
use crate::models::ids::StreamId;
use crate::utils::database::DatabaseError;

/// An entry that waits.
#[derive(Debug, Clone)]
pub struct WaitingEntry {
    /// The stream that it comes from.
    pub id: StreamId,
    /// What it is, as JSON; who corrupted it may have left anything.
    pub payload: Vec<u8>,
    /// How its tries went.
    pub tries: Tries,
}

impl WaitingEntry {
    /// What it is; `None` if it cannot be read.
    #[must_use]
    pub fn entry(&self) -> Option<OutboxEntry> {
        serde_json::from_slice(&self.payload).ok()
    }
}

/// An entry that is not tried any more. What it holds is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The stream that it comes from.
    pub id: StreamId,
    /// When it was kept.
    pub kept_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: u64,
    /// Why the last try failed.
    pub reason: Option<String>,
}

/// How full the outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxState {
    /// Entries that wait.
    pub pending: u64,
    /// When the oldest of these was made.
    pub oldest: Option<DateTime<Utc>>,
    /// Entries that are not tried any more.
    pub dead_letters: u64,
}

/// The outbox table. Several instances may work on it at once.
#[async_trait]
pub trait OutboxRecords: Send + Sync + 'static {
    /// Keeps an entry, once.
    ///
    /// # Errors
    /// A failing database.
    async fn keep(&self, entry: &OutboxEntry) -> Result<(), DatabaseError>;

    /// Entries whose time has come, at most so many.
    ///
    /// # Errors
    /// A failing database.
    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<WaitingEntry>, DatabaseError>;

    /// Removes an entry.
    ///
    /// # Errors
    /// A failing database.
    async fn delivered(&self, id: StreamId) -> Result<(), DatabaseError>;

    /// Records how the tries of an entry went that had been tried so often before. False, and nothing changes, if somebody
    /// else tried it meanwhile: what several instances do at once counts as one try.
    ///
    /// # Errors
    /// A failing database.
    async fn tried(&self, id: StreamId, before: u64, tries: &Tries) -> Result<bool, DatabaseError>;

    /// The streams whose entries wait.
    ///
    /// # Errors
    /// A failing database.
    async fn waiting(&self) -> Result<Vec<StreamId>, DatabaseError>;

    /// How full it is.
    ///
    /// # Errors
    /// A failing database.
    async fn state(&self) -> Result<OutboxState, DatabaseError>;

    /// The dead letters, the oldest first, at most so many.
    ///
    /// # Errors
    /// A failing database.
    async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, DatabaseError>;

    /// Has all dead letters wait again as if they had never been tried, and tells how many these are.
    ///
    /// # Errors
    /// A failing database.
    async fn retry_dead_letters(&self) -> Result<u64, DatabaseError>;

    /// Deletes a dead letter for good; false if there is none of this stream.
    ///
    /// # Errors
    /// A failing database.
    async fn discard_dead_letter(&self, id: StreamId) -> Result<bool, DatabaseError>;
}
