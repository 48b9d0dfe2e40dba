//! Rounds over what waits: in memory, in the journal, in the table.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Inner, OutboxEntry, Tries, WaitingEntry};
use crate::models::ids::StreamId;
use crate::models::message::MessageStatus;
use crate::services::billing::UsageEvent;
use crate::services::conversations::{AnswerOutcome, FinishedAnswer, StoreError};
use crate::utils::database::DatabaseError;

/// Entries delivered in one round.
const BATCH: u32 = 100;

impl Inner {
    async fn write(&self, entry: &OutboxEntry) -> Result<(), StoreError> {
        match entry {
            OutboxEntry::Answer(answer) => self.store.save_answer(answer.clone()).await,
            OutboxEntry::Usage(event) => Ok(self.ledger.record(UsageEvent::clone(event)).await?),
        }
    }

    /// Tries to deliver what is only in memory, or to find it a better place.
    pub(super) async fn house(&self) {
        // Each keeps its place until it has a better one.
        let waiting = self.homeless().clone();
        let mut is_outage = false;
        for entry in waiting {
            let mut is_housed = false;
            if !is_outage {
                match self.write(&entry).await {
                    Ok(()) => is_housed = true,
                    Err(error) => is_outage = error.is_outage(),
                }
            }
            if is_housed || self.accommodate(&entry, is_outage).await.is_ok() {
                self.homeless().retain(|kept| kept.id() != entry.id());
            }
        }
    }

    /// One round over the journal, which ends when the store does not answer.
    pub(super) async fn deliver_journal(&self) {
        let now = self.clock.now();
        let mut done = Vec::new();
        for entry in self.journal.entries() {
            let id = entry.id();
            if self.refused().get(&id).is_some_and(|tries| tries.are_early(now)) {
                continue;
            }
            match self.write(&entry).await {
                Ok(()) => done.push(id),
                Err(error) => {
                    let reason = error.summary();
                    tracing::warn!(reason, stream_id = %id, "an entry of the journal could not be delivered");
                    if error.is_outage() {
                        break;
                    }
                    if self.move_on(&entry, now).await {
                        done.push(id);
                    }
                }
            }
        }
        self.refused().retain(|id, _| !done.contains(id));
        if let Err(error) = self.journal.remove(done).await {
            tracing::warn!(%error, "delivered entries stay in the journal and are delivered again");
        }
    }

    /// Moves an entry out of the journal that the store has refused: into the table, where its tries are counted, or,
    /// once that has refused it often enough too, to the dead letters on the disk. Tells whether it has another place now.
    async fn move_on(&self, entry: &Arc<OutboxEntry>, now: DateTime<Utc>) -> bool {
        let id = entry.id();
        let Err(error) = self.records.keep(entry).await else {
            return true;
        };
        let before = self.refused().get(&id).cloned();
        let before = before.unwrap_or_else(|| Tries::none(now));
        let tries = before.failed(&error.into(), now);
        if !tries.is_over() {
            self.refused().insert(id, tries);
            return false;
        }
        if let Err(error) = self.journal.bury(entry.clone()).await {
            tracing::warn!(%error, stream_id = %id, "a dead letter stays in the journal");
            return false;
        }
        self.give_up(entry, &tries).await;
        true
    }

    /// One round over the table; tells how many entries were delivered.
    pub(super) async fn deliver_table(&self, now: DateTime<Utc>) -> Result<usize, DatabaseError> {
        let mut delivered = 0;
        for waiting in self.records.due(now, BATCH).await? {
            let Some(entry) = waiting.entry() else {
                let tries = waiting.tries.unreadable();
                if self.tried(&waiting, &tries).await? {
                    report_dead(waiting.id, &tries);
                }
                continue;
            };
            match self.write(&entry).await {
                Ok(()) => {
                    self.records.delivered(waiting.id).await?;
                    delivered += 1;
                }
                Err(error) => self.put_off(&waiting, &entry, &error).await?,
            }
        }
        Ok(delivered)
    }

    /// Counts a try that failed. One before its time, as at a start, does not count: often started is not often refused.
    async fn put_off(
        &self,
        waiting: &WaitingEntry,
        entry: &OutboxEntry,
        error: &StoreError,
    ) -> Result<(), DatabaseError> {
        let now = self.clock.now();
        if waiting.tries.are_early(now) {
            return Ok(());
        }
        let tries = waiting.tries.failed(error, now);
        if !self.tried(waiting, &tries).await? {
            return Ok(());
        }
        if tries.is_over() {
            self.give_up(entry, &tries).await;
        } else {
            let (id, reason) = (waiting.id, error.summary());
            tracing::warn!(reason, stream_id = %id, attempts = tries.attempts, "an entry could not be delivered");
        }
        Ok(())
    }

    async fn tried(&self, waiting: &WaitingEntry, tries: &Tries) -> Result<bool, DatabaseError> {
        self.records
            .tried(waiting.id, waiting.tries.attempts, tries)
            .await
    }

    /// Of an entry that has become a dead letter. The place of an answer is closed without it, so that its conversation can
    /// go on; should it be delivered after all, it replaces what stands there.
    async fn give_up(&self, entry: &OutboxEntry, tries: &Tries) {
        report_dead(entry.id(), tries);
        let OutboxEntry::Answer(answer) = entry else {
            return;
        };
        if let Err(error) = self.store.close_abandoned(without_text(answer)).await {
            let (stream_id, reason) = (entry.id(), error.summary());
            tracing::error!(%stream_id, reason, "the place of an answer that is a dead letter cannot be closed");
        }
    }
}

fn report_dead(stream_id: StreamId, tries: &Tries) {
    let (attempts, reason) = (tries.attempts, tries.reason.as_deref());
    tracing::error!(%stream_id, attempts, reason, "an outbox entry is a dead letter now");
}

/// What the store may take of an answer that it refuses.
fn without_text(answer: &FinishedAnswer) -> Arc<FinishedAnswer> {
    let mut known = answer.clone();
    known.content.clear();
    known.reasoning = None;
    known.tool_calls = None;
    if let AnswerOutcome::Stored(status) = &mut known.outcome {
        *status = MessageStatus::Interrupted;
    }
    Arc::new(known)
}
