//! The outbox in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PostgresDatabase;
use super::values::millis;
use crate::models::ids::StreamId;
use crate::services::outbox::{DeadLetter, OutboxEntry, OutboxRecords, OutboxState, Tries, WaitingEntry};
use crate::services::sql::records::{DeadRecord, OutboxRecord, WaitingRecord};
use crate::services::sql::values::stored;
use crate::utils::database::DatabaseError;

const KEEP: &str =
    "INSERT INTO outbox (id, payload, next_attempt_at, created_at) VALUES ($1, $2::json, $3, $3)
     ON CONFLICT (id) DO NOTHING";

/// A dead letter is due at no time.
const DUE: &str = "SELECT id, attempts, refusals, next_attempt_at, reason,
         convert_to(payload::text, 'UTF8') AS payload
     FROM outbox WHERE next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT $2";

const TRIED: &str = "UPDATE outbox
     SET attempts = $3, refusals = $4, next_attempt_at = coalesce($5, 'infinity'), reason = $6
     WHERE id = $1 AND attempts = $2";

const STATE: &str = "SELECT count(*) FILTER (WHERE next_attempt_at < 'infinity') AS pending,
         min(created_at) FILTER (WHERE next_attempt_at < 'infinity') AS oldest,
         count(*) FILTER (WHERE next_attempt_at = 'infinity') AS dead_letters
     FROM outbox";

const DEAD: &str = "SELECT id, created_at, attempts, reason FROM outbox
     WHERE next_attempt_at = 'infinity' ORDER BY created_at, id LIMIT $1";

const RETRY: &str = "UPDATE outbox SET attempts = 0, refusals = 0, next_attempt_at = $1, reason = NULL
     WHERE next_attempt_at = 'infinity'";

const DISCARD: &str = "DELETE FROM outbox WHERE id = $1 AND next_attempt_at = 'infinity'";

#[async_trait]
impl OutboxRecords for PostgresDatabase {
    async fn keep(&self, entry: &OutboxEntry) -> Result<(), DatabaseError> {
        let payload = serde_json::to_string(entry).map_err(DatabaseError::encode)?;
        sqlx::query(KEEP)
            .bind(entry.id())
            .bind(payload)
            .bind(self.clock.now())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<WaitingEntry>, DatabaseError> {
        let rows: Vec<WaitingRecord> = sqlx::query_as(DUE)
            .bind(millis(now))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn delivered(&self, id: StreamId) -> Result<(), DatabaseError> {
        sqlx::query("DELETE FROM outbox WHERE id = $1")
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn tried(&self, id: StreamId, before: u64, tries: &Tries) -> Result<bool, DatabaseError> {
        let done = sqlx::query(TRIED)
            .bind(id)
            .bind(stored(before))
            .bind(stored(tries.attempts))
            .bind(stored(tries.refusals))
            .bind(tries.next_at.map(millis))
            .bind(&tries.reason)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn waiting(&self) -> Result<Vec<StreamId>, DatabaseError> {
        let ids = sqlx::query_scalar("SELECT id FROM outbox WHERE next_attempt_at < 'infinity'")
            .fetch_all(&self.pool)
            .await?;
        Ok(ids)
    }

    async fn state(&self) -> Result<OutboxState, DatabaseError> {
        let row: OutboxRecord = sqlx::query_as(STATE).fetch_one(&self.pool).await?;
        Ok(row.into())
    }

    async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, DatabaseError> {
        let rows: Vec<DeadRecord> = sqlx::query_as(DEAD)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn retry_dead_letters(&self) -> Result<u64, DatabaseError> {
        let done = sqlx::query(RETRY)
            .bind(self.clock.now())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }

    async fn discard_dead_letter(&self, id: StreamId) -> Result<bool, DatabaseError> {
        let done = sqlx::query(DISCARD).bind(id).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }
}
