//! Running answers in SQLite.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::SqliteDatabase;
use super::outbox::NEVER;
use super::values::{millis, stored};
use crate::models::ids::{ConversationId, InstanceId, StreamId, UserId};
use crate::services::generation::{Checkpoint, GenerationRecord, GenerationRecords, UnfinishedGeneration};
use crate::services::sql::records::{CheckpointRecord, StateRecord, UnfinishedRecord};
use crate::utils::database::DatabaseError;

/// Ended answers forgotten in one transaction.
const FORGET_BATCH: u32 = 500;

#[async_trait]
impl GenerationRecords for SqliteDatabase {
    async fn append_checkpoints(&self, checkpoints: Vec<Checkpoint>) -> Result<(), DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    for checkpoint in &checkpoints {
                        append(connection, checkpoint).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn checkpoints(&self, stream: StreamId, from: u64) -> Result<Vec<Checkpoint>, DatabaseError> {
        let rows: Vec<CheckpointRecord> = sqlx::query_as(
            "SELECT generation_id, first_event, content, reasoning, marks, tool_calls
             FROM checkpoints
             WHERE generation_id = ?1 AND first_event >= coalesce(
         (SELECT max(first_event) FROM checkpoints WHERE generation_id = ?1 AND first_event <= ?2), 0)
     ORDER BY first_event",
        )
        .bind(stream)
        .bind(stored(from))
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(CheckpointRecord::into_checkpoint).collect()
    }

    /// Nobody asks: one instance serves from a file, under a lock.
    async fn renew_lease(&self) -> Result<(), DatabaseError> {
        Ok(())
    }

    async fn end_lease(&self) -> Result<(), DatabaseError> {
        Ok(())
    }

    async fn silent(&self, _silence: Duration) -> Result<Vec<InstanceId>, DatabaseError> {
        Ok(Vec::new())
    }

    /// Whoever it was that began them: they are all of earlier processes.
    async fn unfinished_here(
        &self,
        before: Option<DateTime<Utc>>,
        known: &[StreamId],
    ) -> Result<Vec<UnfinishedGeneration>, DatabaseError> {
        let known: Vec<String> = known.iter().map(|id| format!("{:X}", id.0.simple())).collect();
        let rows: Vec<UnfinishedRecord> = sqlx::query_as(
            "SELECT id, user_id, conversation_id, branch_id, user_message_id, message_id, model, request_id, streamed,
                    sent_bytes
             FROM generations
             WHERE status = 'streaming' AND NOT EXISTS
                 (SELECT 1 FROM outbox WHERE outbox.id = generations.id AND next_attempt_at < ?1)
             AND (?2 IS NULL OR started_at < ?2) AND hex(id) NOT IN (SELECT value FROM json_each(?3))",
        )
        .bind(NEVER)
        .bind(before.map(millis))
        .bind(serde_json::to_string(&known).map_err(DatabaseError::encode)?)
        .fetch_all(&self.readers)
        .await?;
        let now = self.clock.now();
        Ok(rows.into_iter().map(|row| row.into_unfinished(now)).collect())
    }

    /// There is no other instance.
    async fn abandoned(&self, _silence: Duration) -> Result<Vec<UnfinishedGeneration>, DatabaseError> {
        Ok(Vec::new())
    }

    async fn request_cancel(&self, user: UserId, stream: StreamId) -> Result<bool, DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE generations SET cancelled = 1 WHERE id = ?1 AND user_id = ?2 AND status = 'streaming'",
                    )
                    .bind(stream)
                    .bind(user)
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn cancel_requests(&self) -> Result<Vec<StreamId>, DatabaseError> {
        let ids: Vec<(StreamId,)> = sqlx::query_as(
            "SELECT id FROM generations WHERE instance_id = ?1 AND status = 'streaming' AND cancelled",
        )
        .bind(self.instance)
        .fetch_all(&self.readers)
        .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    async fn running_in(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Vec<StreamId>, DatabaseError> {
        let ids: Vec<(StreamId,)> = sqlx::query_as(
            "SELECT id FROM generations INDEXED BY generations_running
             WHERE conversation_id = ?1 AND user_id = ?2 AND status = 'streaming' ORDER BY id",
        )
        .bind(conversation)
        .bind(user)
        .fetch_all(&self.readers)
        .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    async fn generation(
        &self,
        user: UserId,
        stream: StreamId,
    ) -> Result<Option<GenerationRecord>, DatabaseError> {
        let row: Option<StateRecord> = sqlx::query_as(
            "SELECT g.id, g.conversation_id, g.branch_id, g.user_message_id, g.message_id, g.request_id, g.model, g.status,
                    g.error, g.started_at, g.ended_at, m.id IS NOT NULL AS has_message
             FROM generations g LEFT JOIN messages m ON m.id = g.message_id
             WHERE g.id = ?1 AND g.user_id = ?2",
        )
        .bind(stream)
        .bind(user)
        .fetch_optional(&self.readers)
        .await?;
        row.map(StateRecord::into_record).transpose()
    }

    async fn forget_keys(&self, before: DateTime<Utc>) -> Result<u64, DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "DELETE FROM idempotency_keys WHERE (user_id, key) IN
                             (SELECT user_id, key FROM idempotency_keys WHERE created_at < ?1 LIMIT ?2)",
                    )
                    .bind(millis(before))
                    .bind(FORGET_BATCH)
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }

    async fn forget_ended(
        &self,
        before: DateTime<Utc>,
        taken_over_before: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "DELETE FROM generations WHERE id IN
                             (SELECT id FROM generations
                              WHERE ended_at < ?1 AND (NOT taken_over OR ended_at < ?2) ORDER BY ended_at LIMIT ?3)",
                    )
                    .bind(millis(before))
                    .bind(millis(taken_over_before))
                    .bind(FORGET_BATCH)
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }
}

/// Nothing is written for an answer that was deleted meanwhile.
async fn append(connection: &mut SqliteConnection, checkpoint: &Checkpoint) -> Result<(), DatabaseError> {
    let marks = serde_json::to_string(&checkpoint.marks).map_err(DatabaseError::encode)?;
    sqlx::query(
        "INSERT INTO checkpoints (generation_id, first_event, content, reasoning, marks, tool_calls)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM generations WHERE id = ?1 AND status = 'streaming')
         ON CONFLICT (generation_id, first_event) DO UPDATE
         SET content = excluded.content, reasoning = excluded.reasoning, marks = excluded.marks,
             tool_calls = excluded.tool_calls
         WHERE length(excluded.marks) > length(marks)",
    )
    .bind(checkpoint.stream_id)
    .bind(stored(checkpoint.first_event))
    .bind(&checkpoint.content)
    .bind(&checkpoint.reasoning)
    .bind(marks)
    .bind(checkpoint.tool_calls.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}
