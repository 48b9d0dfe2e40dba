//! Answers and charges that could not be written yet: kept durably, and delivered when the store is back.
//!
//! What cannot be delivered at once goes into the database's outbox table, or, when the database is what is
//! down, into an fsynced [`Journal`]. A background task delivers both, oldest first; delivering twice is the same as once.
//! What can never be delivered, because nobody can read it or the store refuses it again and again ([`Tries`]), becomes a
//! *dead letter*: kept, in the table or in a [`DeadFile`], and not tried any more unless somebody asks for it.

mod check;
mod dead_file;
mod delivery;
mod disk;
mod erasure;
mod journal;
mod records;
#[cfg(test)]
mod tests;
mod tries;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use dead_file::{DeadFile, DeadLine};
pub use journal::{Journal, JournalError};
pub use records::{DeadLetter, OutboxRecords, OutboxState, WaitingEntry};
pub use tries::{MAX_REFUSALS, Tries};

use crate::models::ids::{StreamId, UserId};
use crate::services::billing::{UsageEvent, UsageLedger};
use crate::services::conversations::{ConversationStore, FinishedAnswer, StoreError};
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;
use crate::utils::metrics::Metrics;

/// How often what waits is looked at.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(1);

/// Entries kept in memory when nothing else takes them.
const MAX_HOMELESS: usize = 100;

/// Something that must be written in the end. (Tagged from outside: a tag within would have serde take the raw
/// JSON in it apart.)
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxEntry {
    /// An answer of a conversation, with its charge.
    Answer(Arc<FinishedAnswer>),
    /// The charge of an answer that is not stored.
    Usage(Arc<UsageEvent>),
}

impl OutboxEntry {
    /// The stream that it comes from: an entry is kept once.
    #[must_use]
    pub fn id(&self) -> StreamId {
        match self {
            Self::Answer(answer) => answer.stream_id,
            Self::Usage(event) => event.id,
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        match self {
            Self::Answer(answer) => answer.user_id,
            Self::Usage(event) => event.user_id,
        }
    }

    /// Its entry in the ledger.
    #[must_use]
    pub fn usage_event(&self) -> UsageEvent {
        match self {
            Self::Answer(answer) => answer.usage_event(),
            Self::Usage(event) => UsageEvent::clone(event),
        }
    }

    /// When what it tells of happened.
    #[must_use]
    pub fn happened_at(&self) -> DateTime<Utc> {
        match self {
            Self::Answer(answer) => answer.ended_at,
            Self::Usage(event) => event.created_at,
        }
    }
}

/// Keeps and delivers. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    records: Arc<dyn OutboxRecords>,
    store: Arc<dyn ConversationStore>,
    ledger: Arc<dyn UsageLedger>,
    journal: Journal,
    /// Entries of the journal that neither the store nor the table takes.
    refused: Mutex<HashMap<StreamId, Tries>>,
    homeless: Mutex<Vec<OutboxEntry>>,
    /// The table as it was last seen: while it cannot be read, that is better than nothing.
    table: Mutex<OutboxState>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl Outbox {
    /// An outbox whose journal is in `data_dir`.
    ///
    /// # Errors
    /// If the journal of an earlier run cannot be read.
    pub fn open(
        data_dir: &Path,
        records: Arc<dyn OutboxRecords>,
        store: Arc<dyn ConversationStore>,
        ledger: Arc<dyn UsageLedger>,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Result<Self, JournalError> {
        let journal = Journal::open(data_dir)?;
        Ok(Self(Arc::new(Inner {
            records,
            store,
            ledger,
            journal,
            refused: Mutex::default(),
            homeless: Mutex::default(),
            table: Mutex::default(),
            metrics,
            clock,
        })))
    }

    /// Keeps what could not be written, because of this error: in the table, or in the journal where the database is
    /// what does not answer.
    pub async fn keep(&self, entry: OutboxEntry, because: &StoreError) {
        let inner = &self.0;
        // A database that has just failed to answer is not waited for once more: readers wait for the end.
        if let Err(error) = inner.accommodate(&entry, because.is_outage()).await {
            tracing::error!(%error, stream_id = %entry.id(), "an answer could only be kept in memory");
            inner.keep_in_memory(entry);
        }
        inner.show();
    }

    /// Enters a charge into the ledger, or keeps it, where that takes longer than `limit`, too.
    pub async fn record_usage(&self, event: UsageEvent, limit: Duration) {
        let recording = tokio::time::timeout(limit, self.0.ledger.record(event.clone())).await;
        if let Err(error) = recording.unwrap_or(Err(DatabaseError::QueueFull)) {
            tracing::error!(%error, "a charge could not be entered and goes to the outbox");
            let entry = OutboxEntry::Usage(Arc::new(event));
            self.keep(entry, &StoreError::from(error)).await;
        }
    }

    /// Delivers what waits, until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            self.0.house().await;
            self.0.deliver_journal().await;
            if let Err(error) = self.0.deliver_table(self.0.clock.now()).await {
                tracing::warn!(%error, "the outbox table cannot be worked on");
            }
            self.0.look().await;
            if tokio::time::timeout(DELIVERY_INTERVAL, stop.cancelled())
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    /// Delivers everything that waits, due or not, and returns the streams whose entries could not be delivered:
    /// what is recorded as running of them is older than what waits here.
    ///
    /// # Errors
    /// A failing database.
    pub async fn deliver_all(&self) -> Result<HashSet<StreamId>, DatabaseError> {
        let inner = &self.0;
        inner.deliver_journal().await;
        while inner.deliver_table(DateTime::<Utc>::MAX_UTC).await? > 0 {}
        let mut waiting: HashSet<_> = inner.records.waiting().await?.into_iter().collect();
        waiting.extend(inner.journal.entries().iter().map(|entry| entry.id()));
        inner.look().await;
        Ok(waiting)
    }

    /// The streams whose entries wait in this instance, and not in the table.
    #[must_use]
    pub fn waiting_here(&self) -> Vec<StreamId> {
        let journal = self.0.journal.entries().into_iter().map(|entry| entry.id());
        let homeless = self.0.homeless();
        journal.chain(homeless.iter().map(OutboxEntry::id)).collect()
    }

    /// How full it is, all places together; of the table, as it was a second ago or when it last answered. Waits for nothing.
    #[must_use]
    pub fn state(&self) -> OutboxState {
        self.0.state()
    }
}

impl Inner {
    fn homeless(&self) -> MutexGuard<'_, Vec<OutboxEntry>> {
        self.homeless.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, OutboxState> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<StreamId, Tries>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an entry into the table, or into the journal during an outage or where the table does not take it.
    async fn accommodate(&self, entry: &OutboxEntry, is_outage: bool) -> Result<(), JournalError> {
        if !is_outage && self.records.keep(entry).await.is_ok() {
            self.table().pending += 1;
            return Ok(());
        }
        self.journal.append(entry.clone()).await
    }

    /// The last resort of the last resort: neither the database nor the disk takes anything.
    fn keep_in_memory(&self, entry: OutboxEntry) {
        let mut homeless = self.homeless();
        if homeless.len() < MAX_HOMELESS {
            homeless.push(entry);
        } else {
            // The checkpoints in the database still hold the text, up to a second before its end.
            tracing::error!(stream_id = %entry.id(), "an answer could not be kept anywhere");
            self.metrics.outbox_lost.inc();
        }
    }

    fn state(&self) -> OutboxState {
        let table = *self.table();
        let homeless = self.homeless();
        let made = homeless.iter().map(OutboxEntry::happened_at).min();
        let waiting = (self.journal.len() + homeless.len()) as u64;
        OutboxState {
            pending: table.pending.saturating_add(waiting),
            oldest: [table.oldest, self.journal.oldest(), made]
                .into_iter()
                .flatten()
                .min(),
            dead_letters: table.dead_letters.saturating_add(self.journal.dead_letters()),
        }
    }

    /// Looks at the table and at the dead letters on the disk, and shows what is there.
    async fn look(&self) {
        if let Ok(table) = self.records.state().await {
            *self.table() = table;
        }
        if let Err(error) = self.journal.look().await {
            tracing::warn!(%error, "the dead letters on the disk cannot be worked on");
        }
        self.show();
    }

    fn show(&self) {
        let state = self.state();
        let gauge = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.outbox_pending.set(gauge(state.pending));
        self.metrics.outbox_dead_letters.set(gauge(state.dead_letters));
        let age = state
            .oldest
            .map_or(0, |oldest| (self.clock.now() - oldest).num_seconds());
        self.metrics.outbox_oldest_seconds.set(age);
    }
}
