//! The outbox in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PostgresDatabase;
use super::values::millis;
use crate::models::ids::StreamId;
use crate::services::outbox::{OutboxEntry, OutboxRecords, OutboxState, WaitingEntry};
use crate::services::sql::values::count;
use crate::utils::database::DatabaseError;

impl PostgresDatabase {
    /// Leaves entries that nobody can read for a person.
    async fn set_aside(&self, ids: &[StreamId]) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = 'infinity' WHERE id = ANY ($1)",
        )
        .bind(ids)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

#[async_trait]
impl OutboxRecords for PostgresDatabase {
    async fn keep(&self, entry: &OutboxEntry) -> Result<(), DatabaseError> {
        let payload = serde_json::to_string(entry).map_err(DatabaseError::encode)?;
        sqlx::query(
            "INSERT INTO outbox (id, payload, next_attempt_at, created_at) VALUES ($1, $2::json, $3, $3)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(entry.id())
        .bind(payload)
        .bind(self.clock.now())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<WaitingEntry>, DatabaseError> {
        let rows: Vec<(StreamId, String, i64)> = sqlx::query_as(
            "SELECT id, payload::text, attempts FROM outbox
             WHERE next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT $2",
        )
        .bind(millis(now))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
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
        if !unreadable.is_empty() {
            self.set_aside(&unreadable).await?;
        }
        Ok(entries)
    }

    async fn delivered(&self, id: StreamId) -> Result<(), DatabaseError> {
        sqlx::query("DELETE FROM outbox WHERE id = $1")
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn postpone(&self, id: StreamId, until: DateTime<Utc>) -> Result<(), DatabaseError> {
        sqlx::query("UPDATE outbox SET attempts = attempts + 1, next_attempt_at = $2 WHERE id = $1")
            .bind(id)
            .bind(millis(until))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn waiting(&self) -> Result<Vec<StreamId>, DatabaseError> {
        let ids = sqlx::query_scalar("SELECT id FROM outbox WHERE next_attempt_at < 'infinity'")
            .fetch_all(&self.pool)
            .await?;
        Ok(ids)
    }

    async fn state(&self) -> Result<OutboxState, DatabaseError> {
        let (pending, oldest): (i64, Option<DateTime<Utc>>) =
            sqlx::query_as("SELECT count(*), min(created_at) FROM outbox")
                .fetch_one(&self.pool)
                .await?;
        Ok(OutboxState {
            pending: count(pending),
            oldest,
        })
    }
}
