//! Answers and charges that could not be written yet: kept durably, and delivered when the store is back.
//!
//! What cannot be delivered at once goes into the database's outbox table, or, when the database is what is
//! down, into an fsynced `journal` file. A background task delivers both, oldest first; delivering twice is the
//! same as once.

mod journal;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use journal::{Journal, JournalError};

use crate::models::ids::StreamId;
use crate::services::billing::{UsageEvent, UsageLedger};
use crate::services::conversations::{ConversationStore, FinishedAnswer};
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;
use crate::utils::metrics::Metrics;

/// How often what waits is looked at.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(1);

/// Entries delivered in one round.
const BATCH: u32 = 100;

/// The longest pause between two tries of one entry.
const MAX_BACKOFF_SECONDS: i64 = 10;

/// Something that must be written in the end. (Tagged from outside: a tag within would have serde take the raw
/// JSON in it apart.)
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxEntry {
    /// An answer of a conversation, with its charge.
    Answer(FinishedAnswer),
    /// The charge of an answer that is not stored.
    Usage(UsageEvent),
}

impl OutboxEntry {
    /// The stream that it comes from: an entry is kept once.
    #[must_use]
    pub const fn id(&self) -> StreamId {
        match self {
            Self::Answer(answer) => answer.stream_id,
            Self::Usage(event) => event.id,
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
            metrics,
            clock,
        })))
    }

    /// Keeps an entry: in the table, or in the journal where the database does not take it.
    pub async fn keep(&self, entry: OutboxEntry) {
        let inner = &self.0;
        let Err(refused) = inner.records.keep(&entry).await else {
            inner.metrics.outbox_pending.inc();
            return;
        };
        tracing::warn!(error = %refused, "the database takes no outbox entry, the journal does");
        let id = entry.id();
        match inner.journal.append(entry).await {
            Ok(()) => inner.metrics.outbox_pending.inc(),
            // The checkpoints in the database still hold the text, up to a second ago.
            Err(error) => tracing::error!(%error, stream_id = %id, "an answer could not be kept anywhere"),
        }
    }

    /// Enters a charge into the ledger, or keeps it.
    pub async fn record_usage(&self, event: UsageEvent) {
        if let Err(error) = self.0.ledger.record(event.clone()).await {
            tracing::error!(%error, "a charge could not be entered and goes to the outbox");
            self.keep(OutboxEntry::Usage(event)).await;
        }
    }

    /// Delivers what waits, until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            self.deliver().await;
            if tokio::time::timeout(DELIVERY_INTERVAL, stop.cancelled())
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    /// One round: the journal into the store, then the table. The first failure of the database ends it.
    pub async fn deliver(&self) {
        let inner = &self.0;
        for entry in inner.journal.entries() {
            match inner.write(&entry).await {
                Ok(()) => {
                    if let Err(error) = inner.journal.remove(entry.id()).await {
                        tracing::warn!(%error, "a delivered entry stays in the journal and is delivered again");
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the store is not back yet");
                    break;
                }
            }
        }
        if let Err(error) = inner.deliver_table().await {
            tracing::debug!(%error, "the outbox table cannot be read");
        }
        inner.publish().await;
    }
}

impl Inner {
    async fn write(&self, entry: &OutboxEntry) -> Result<(), crate::services::conversations::StoreError> {
        match entry {
            OutboxEntry::Answer(answer) => self.store.save_answer(answer).await,
            OutboxEntry::Usage(event) => Ok(self.ledger.record(event.clone()).await?),
        }
    }

    async fn deliver_table(&self) -> Result<(), DatabaseError> {
        for waiting in self.records.due(self.clock.now(), BATCH).await? {
            match self.write(&waiting.entry).await {
                Ok(()) => self.records.delivered(waiting.entry.id()).await?,
                Err(error) => {
                    tracing::warn!(%error, attempts = waiting.attempts + 1, "an answer could not be delivered");
                    let exponent = u32::try_from(waiting.attempts.min(8)).unwrap_or(8);
                    let pause = 2_i64.pow(exponent).min(MAX_BACKOFF_SECONDS);
                    let until = self.clock.now() + TimeDelta::seconds(pause);
                    self.records.postpone(waiting.entry.id(), until).await?;
                }
            }
        }
        Ok(())
    }

    async fn publish(&self) {
        let table = self.records.state().await.unwrap_or_default();
        let journal = self.journal.entries().len();
        let age = table
            .oldest
            .map_or(0, |oldest| (self.clock.now() - oldest).num_seconds());
        self.metrics.outbox_pending.set(
            i64::try_from(table.pending)
                .unwrap_or(i64::MAX)
                .saturating_add(journal as i64),
        );
        self.metrics.outbox_oldest_seconds.set(age);
    }
}
