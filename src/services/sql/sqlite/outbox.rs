//! The outbox in SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::SqliteDatabase;
use super::values::{millis, stored};
use crate::models::ids::StreamId;
use crate::services::outbox::{DeadLetter, OutboxEntry, OutboxRecords, OutboxState, Tries, WaitingEntry};
use crate::services::sql::records::{DeadRecord, OutboxRecord, WaitingRecord};
use crate::utils::database::DatabaseError;

/// The time of the next try of a dead letter.
pub(super) const NEVER: i64 = i64::MAX;

statements! {
    KEEP = "INSERT INTO outbox (id, payload, next_attempt_at, created_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (id) DO NOTHING";

    /// The payload as bytes: were it no UTF-8 any more, none of the others could be read either.
    DUE = "SELECT id, attempts, refusals, next_attempt_at, reason, CAST(payload AS BLOB) AS payload
         FROM outbox WHERE next_attempt_at <= ?1 ORDER BY next_attempt_at LIMIT ?2";

    DELIVERED = "DELETE FROM outbox WHERE id = ?1";

    TRIED = "UPDATE outbox SET attempts = ?3, refusals = ?4, next_attempt_at = ?5, reason = ?6
         WHERE id = ?1 AND attempts = ?2";

    WAITING = "SELECT id FROM outbox WHERE next_attempt_at < ?1";

    DEAD = "SELECT id, created_at, attempts, reason FROM outbox
         WHERE next_attempt_at = ?1 ORDER BY created_at, id LIMIT ?2";

    RETRY = "UPDATE outbox SET attempts = 0, refusals = 0, next_attempt_at = ?2, reason = NULL
         WHERE next_attempt_at = ?1";

    DISCARD = "DELETE FROM outbox WHERE id = ?1 AND next_attempt_at = ?2";
}

/// All of it is counted.
const STATE: &str = "SELECT count(*) FILTER (WHERE next_attempt_at < ?1) AS pending,
         min(created_at) FILTER (WHERE next_attempt_at < ?1) AS oldest,
         count(*) FILTER (WHERE next_attempt_at = ?1) AS dead_letters
     FROM outbox";

#[async_trait]
impl OutboxRecords for SqliteDatabase {
    async fn keep(&self, entry: &OutboxEntry) -> Result<(), DatabaseError> {
        let payload = serde_json::to_string(entry).map_err(DatabaseError::encode)?;
        let (id, now) = (entry.id(), millis(self.clock.now()));
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let kept = sqlx::query(KEEP).bind(id).bind(payload).bind(now);
                    kept.execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<WaitingEntry>, DatabaseError> {
        let rows: Vec<WaitingRecord> = sqlx::query_as(DUE)
            .bind(millis(now))
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn delivered(&self, id: StreamId) -> Result<(), DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(DELIVERED).bind(id).execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }

    async fn tried(&self, id: StreamId, before: u64, tries: &Tries) -> Result<bool, DatabaseError> {
        let tries = tries.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(TRIED)
                        .bind(id)
                        .bind(stored(before))
                        .bind(stored(tries.attempts))
                        .bind(stored(tries.refusals))
                        .bind(tries.next_at.map_or(NEVER, millis))
                        .bind(tries.reason)
                        .execute(connection)
                        .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn waiting(&self) -> Result<Vec<StreamId>, DatabaseError> {
        let ids = sqlx::query_scalar(WAITING).bind(NEVER);
        Ok(ids.fetch_all(&self.readers).await?)
    }

    async fn state(&self) -> Result<OutboxState, DatabaseError> {
        let row: OutboxRecord = sqlx::query_as(STATE).bind(NEVER).fetch_one(&self.readers).await?;
        Ok(row.into())
    }

    async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, DatabaseError> {
        let rows: Vec<DeadRecord> = sqlx::query_as(DEAD)
            .bind(NEVER)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn retry_dead_letters(&self) -> Result<u64, DatabaseError> {
        let now = millis(self.clock.now());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(RETRY).bind(NEVER).bind(now);
                    Ok(done.execute(connection).await?.rows_affected())
                })
            })
            .await
    }

    async fn discard_dead_letter(&self, id: StreamId) -> Result<bool, DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(DISCARD).bind(id).bind(NEVER);
                    Ok(done.execute(connection).await?.rows_affected() > 0)
                })
            })
            .await
    }
}
