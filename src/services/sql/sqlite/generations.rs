//! Running answers in SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::SqliteDatabase;
use super::values::stored;
use crate::models::ids::{StreamId, UserId};
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

    async fn checkpoints(&self, stream: StreamId) -> Result<Vec<Checkpoint>, DatabaseError> {
        let rows: Vec<CheckpointRecord> = sqlx::query_as(
            "SELECT generation_id, first_event, content, reasoning, marks, tool_calls
             FROM checkpoints WHERE generation_id = ?1 ORDER BY first_event",
        )
        .bind(stream)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(CheckpointRecord::into_checkpoint).collect()
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedGeneration>, DatabaseError> {
        let rows: Vec<UnfinishedRecord> = sqlx::query_as(
            "SELECT id, user_id, conversation_id, branch_id, user_message_id, message_id, model, request_id, streamed,
                    sent_bytes
             FROM generations WHERE status = 'streaming'",
        )
        .fetch_all(&self.readers)
        .await?;
        let now = self.clock.now();
        Ok(rows.into_iter().map(|row| row.into_unfinished(now)).collect())
    }

    async fn generation(
        &self,
        user: UserId,
        stream: StreamId,
    ) -> Result<Option<GenerationRecord>, DatabaseError> {
        let row: Option<StateRecord> = sqlx::query_as(
            "SELECT g.id, g.conversation_id, g.branch_id, g.user_message_id, g.message_id, g.request_id, g.model, g.status,
                    g.started_at, g.ended_at, m.id IS NOT NULL AS has_message
             FROM generations g LEFT JOIN messages m ON m.id = g.message_id
             WHERE g.id = ?1 AND g.user_id = ?2",
        )
        .bind(stream)
        .bind(user)
        .fetch_optional(&self.readers)
        .await?;
        row.map(StateRecord::into_record).transpose()
    }

    async fn forget_ended(&self, before: DateTime<Utc>) -> Result<u64, DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "DELETE FROM generations WHERE id IN
                             (SELECT id FROM generations WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
                    )
                    .bind(before.timestamp_millis())
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
