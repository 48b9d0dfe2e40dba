//! The outbox in SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::SqliteDatabase;
use super::values::count;
use crate::models::ids::StreamId;
use crate::services::outbox::{OutboxEntry, OutboxRecords, OutboxState, WaitingEntry};
use crate::services::sql::records::StoredTime;
use crate::utils::database::DatabaseError;

/// The time of the next attempt of an entry that is not tried again.
const NEVER: i64 = i64::MAX;

impl SqliteDatabase {
    async fn set_next_attempt(&self, id: StreamId, at: i64) -> Result<(), DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = ?2 WHERE id = ?1",
                    )
                    .bind(id)
                    .bind(at)
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}

#[async_trait]
impl OutboxRecords for SqliteDatabase {
    async fn keep(&self, entry: &OutboxEntry) -> Result<(), DatabaseError> {
        let payload = serde_json::to_string(entry).map_err(DatabaseError::encode)?;
        let (id, now) = (entry.id(), self.clock.now().timestamp_millis());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO outbox (id, payload, next_attempt_at, created_at) VALUES (?1, ?2, ?3, ?3)
                         ON CONFLICT (id) DO NOTHING",
                    )
                    .bind(id)
                    .bind(payload)
                    .bind(now)
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<WaitingEntry>, DatabaseError> {
        let rows: Vec<(StreamId, String, i64)> = sqlx::query_as(
            "SELECT id, payload, attempts FROM outbox WHERE next_attempt_at <= ?1 ORDER BY next_attempt_at LIMIT ?2",
        )
        .bind(now.timestamp_millis())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        for (id, payload, attempts) in rows {
            match serde_json::from_str(&payload) {
                Ok(entry) => entries.push(WaitingEntry {
                    entry,
                    attempts: count(attempts),
                }),
                Err(error) => {
                    tracing::error!(%error, stream_id = %id, "an outbox entry cannot be read and is left for a person");
                    unreadable.push(id);
                }
            }
        }
        for id in unreadable {
            self.set_next_attempt(id, NEVER).await?;
        }
        Ok(entries)
    }

    async fn delivered(&self, id: StreamId) -> Result<(), DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM outbox WHERE id = ?1")
                        .bind(id)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn postpone(&self, id: StreamId, until: DateTime<Utc>) -> Result<(), DatabaseError> {
        self.set_next_attempt(id, until.timestamp_millis()).await
    }

    async fn waiting(&self) -> Result<Vec<StreamId>, DatabaseError> {
        let rows: Vec<(StreamId,)> = sqlx::query_as("SELECT id FROM outbox WHERE next_attempt_at < ?1")
            .bind(NEVER)
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    async fn state(&self) -> Result<OutboxState, DatabaseError> {
        let (pending, oldest): (i64, Option<StoredTime>) =
            sqlx::query_as("SELECT count(*), min(created_at) FROM outbox")
                .fetch_one(&self.readers)
                .await?;
        Ok(OutboxState {
            pending: count(pending),
            oldest: oldest.map(Into::into),
        })
    }
}
