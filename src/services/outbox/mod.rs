//! Answers and charges that could not be written yet: kept durably, and delivered when the store is back.
//!
//! What cannot be delivered at once goes into the database's outbox table, or, when the database is what is
//! down, into an fsynced `journal` file. A background task delivers both, oldest first; delivering twice is the
//! same as once.

mod journal;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use journal::{Journal, JournalError};

use crate::models::ids::StreamId;
use crate::services::billing::{UsageEvent, UsageLedger};
use crate::services::conversations::{ConversationStore, FinishedAnswer, StoreError};
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;
use crate::utils::metrics::Metrics;

/// How often what waits is looked at.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(1);

/// Entries delivered in one round.
const BATCH: u32 = 100;

/// Entries kept in memory when nothing else takes them.
const MAX_HOMELESS: usize = 100;

/// The longest pause between two tries of one entry.
const MAX_BACKOFF_SECONDS: i64 = 10;

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

    /// When what it tells of happened.
    #[must_use]
    pub fn happened_at(&self) -> DateTime<Utc> {
        match self {
            Self::Answer(answer) => answer.ended_at,
            Self::Usage(event) => event.created_at,
        }
    }
}

/// An entry that waits.
#[derive(Debug, Clone)]
pub struct WaitingEntry {
    /// What it is.
    pub entry: OutboxEntry,
    /// How often it was tried.
    pub attempts: u64,
}

/// How full the outbox is.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutboxState {
    /// Entries.
    pub pending: u64,
    /// When the oldest of them was made.
    pub oldest: Option<DateTime<Utc>>,
}

/// The outbox table.
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

    /// Counts a failed try and sets the time of the next.
    ///
    /// # Errors
    /// A failing database.
    async fn postpone(&self, id: StreamId, until: DateTime<Utc>) -> Result<(), DatabaseError>;

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
}

/// Keeps and delivers. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    records: Arc<dyn OutboxRecords>,
    store: Arc<dyn ConversationStore>,
    ledger: Arc<dyn UsageLedger>,
    journal: Journal,
    homeless: Mutex<Vec<OutboxEntry>>,
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
            homeless: Mutex::default(),
            metrics,
            clock,
        })))
    }

    /// Keeps what could not be written, because of this error: in the table, or in the journal where the database is
    /// what does not answer.
    pub async fn keep(&self, entry: OutboxEntry, because: &StoreError) {
        let inner = &self.0;
        // A database that has just failed to answer is not waited for once more: readers wait for the end.
        if !because.is_outage() && inner.records.keep(&entry).await.is_ok() {
            inner.metrics.outbox_pending.inc();
            return;
        }
        let (id, unkept) = (entry.id(), entry.clone());
        match inner.journal.append(entry).await {
            Ok(()) => inner.metrics.outbox_pending.inc(),
            Err(error) => {
                tracing::error!(%error, stream_id = %id, "an answer could only be kept in memory");
                inner.keep_in_memory(unkept);
            }
        }
    }

    /// Enters a charge into the ledger, or keeps it.
    pub async fn record_usage(&self, event: UsageEvent) {
        if let Err(error) = self.0.ledger.record(event.clone()).await {
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
            self.0.publish().await;
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
        Ok(waiting)
    }
}

impl Inner {
    fn homeless(&self) -> MutexGuard<'_, Vec<OutboxEntry>> {
        self.homeless.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last resort of the last resort: neither the database nor the disk takes anything.
    fn keep_in_memory(&self, entry: OutboxEntry) {
        let mut homeless = self.homeless();
        if homeless.len() < MAX_HOMELESS {
            homeless.push(entry);
        } else {
            // The checkpoints in the database still hold the text, up to a second before its end.
            tracing::error!(stream_id = %entry.id(), "an answer could not be kept anywhere");
        }
    }

    /// Tries to deliver what is only in memory, or to write it to the disk.
    async fn house(&self) {
        let waiting = std::mem::take(&mut *self.homeless());
        for entry in waiting {
            if self.write(&entry).await.is_err() && self.journal.append(entry.clone()).await.is_err() {
                self.keep_in_memory(entry);
            }
        }
    }

    async fn write(&self, entry: &OutboxEntry) -> Result<(), StoreError> {
        match entry {
            OutboxEntry::Answer(answer) => self.store.save_answer(answer.clone()).await,
            OutboxEntry::Usage(event) => Ok(self.ledger.record(UsageEvent::clone(event)).await?),
        }
    }

    /// One round over the journal, which ends when the store does not answer. An entry that it refuses stays, and
    /// does not hold up the others.
    async fn deliver_journal(&self) {
        let entries = self.journal.entries();
        let mut delivered = Vec::new();
        for entry in entries {
            match self.write(&entry).await {
                Ok(()) => delivered.push(entry.id()),
                Err(error) => {
                    tracing::warn!(%error, stream_id = %entry.id(), "an entry of the journal stays");
                    if error.is_outage() {
                        break;
                    }
                }
            }
        }
        if let Err(error) = self.journal.remove(delivered).await {
            tracing::warn!(%error, "delivered entries stay in the journal and are delivered again");
        }
    }

    /// One round over the table; tells how many entries were delivered.
    async fn deliver_table(&self, now: DateTime<Utc>) -> Result<usize, DatabaseError> {
        let mut delivered = 0;
        for waiting in self.records.due(now, BATCH).await? {
            let id = waiting.entry.id();
            match self.write(&waiting.entry).await {
                Ok(()) => {
                    self.records.delivered(id).await?;
                    delivered += 1;
                }
                Err(error) => {
                    tracing::warn!(%error, stream_id = %id, attempts = waiting.attempts + 1, "an entry could not be delivered");
                    let exponent = u32::try_from(waiting.attempts.min(8)).unwrap_or(8);
                    let pause = 2_i64.pow(exponent).min(MAX_BACKOFF_SECONDS);
                    self.records
                        .postpone(id, self.clock.now() + TimeDelta::seconds(pause))
                        .await?;
                }
            }
        }
        Ok(delivered)
    }

    async fn publish(&self) {
        // Where the table cannot be read, the last known number is better than a zero.
        let Ok(table) = self.records.state().await else {
            return;
        };
        let journal = self.journal.entries();
        let homeless = self.homeless().len();
        let oldest = journal.first().map(|entry| entry.happened_at());
        let age = [table.oldest, oldest]
            .into_iter()
            .flatten()
            .min()
            .map_or(0, |oldest| (self.clock.now() - oldest).num_seconds());
        let pending = table.pending.saturating_add((journal.len() + homeless) as u64);
        let pending = i64::try_from(pending).unwrap_or(i64::MAX);
        self.metrics.outbox_pending.set(pending);
        self.metrics.outbox_oldest_seconds.set(age);
    }
}
