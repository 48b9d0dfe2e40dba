//! Running answers in SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, SqliteConnection};

use super::SqliteDatabase;
use super::values::{count, named, stored, time};
use crate::models::ids::{BranchId, ConversationId, MessageId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::services::conversations::{AnswerOutcome, AnswerUsage, FinishedAnswer};
use crate::services::generation::{
    Checkpoint, GenerationRecord, GenerationRecords, TurnIds, UnfinishedGeneration,
};
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
        let rows: Vec<CheckpointRow> = sqlx::query_as(
            "SELECT generation_id, first_event, content, reasoning, marks, tool_calls
             FROM checkpoints WHERE generation_id = ?1 ORDER BY first_event",
        )
        .bind(stream)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(CheckpointRow::into_checkpoint).collect()
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedGeneration>, DatabaseError> {
        let rows: Vec<UnfinishedRow> = sqlx::query_as(
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
        let row: Option<RecordRow> = sqlx::query_as(
            "SELECT g.id, g.conversation_id, g.branch_id, g.user_message_id, g.message_id, g.request_id, g.model, g.status,
                    g.started_at, g.ended_at, m.id IS NOT NULL AS has_message
             FROM generations g LEFT JOIN messages m ON m.id = g.message_id
             WHERE g.id = ?1 AND g.user_id = ?2",
        )
        .bind(stream)
        .bind(user)
        .fetch_optional(&self.readers)
        .await?;
        row.map(RecordRow::into_record).transpose()
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
    let marks = serde_json::to_string(&checkpoint.marks)
        .map_err(|error| DatabaseError::Corrupt(format!("marks: {error}")))?;
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

#[derive(Debug, FromRow)]
struct CheckpointRow {
    generation_id: StreamId,
    first_event: i64,
    content: String,
    reasoning: String,
    marks: String,
    tool_calls: Option<String>,
}

impl CheckpointRow {
    fn into_checkpoint(self) -> Result<Checkpoint, DatabaseError> {
        Ok(Checkpoint {
            stream_id: self.generation_id,
            first_event: count(self.first_event),
            content: self.content,
            reasoning: self.reasoning,
            marks: serde_json::from_str(&self.marks)
                .map_err(|error| DatabaseError::Corrupt(format!("marks: {error}")))?,
            tool_calls: self.tool_calls,
        })
    }
}

#[derive(Debug, FromRow)]
struct UnfinishedRow {
    id: StreamId,
    user_id: UserId,
    conversation_id: ConversationId,
    branch_id: BranchId,
    user_message_id: MessageId,
    message_id: MessageId,
    model: String,
    request_id: String,
    streamed: bool,
    sent_bytes: i64,
}

impl UnfinishedRow {
    fn into_unfinished(self, ended_at: DateTime<Utc>) -> UnfinishedGeneration {
        UnfinishedGeneration {
            sent_bytes: count(self.sent_bytes),
            answer: FinishedAnswer {
                stream_id: self.id,
                user_id: self.user_id,
                request_id: self.request_id.into(),
                conversation_id: self.conversation_id,
                branch_id: self.branch_id,
                user_message_id: self.user_message_id,
                message_id: self.message_id,
                model: self.model.into(),
                streamed: self.streamed,
                outcome: AnswerOutcome::Stored(MessageStatus::Interrupted),
                content: String::new(),
                reasoning: None,
                tool_calls: None,
                finish_reason: None,
                usage: AnswerUsage::default(),
                latency_ms: None,
                first_token_ms: None,
                ended_at,
            },
        }
    }
}

#[derive(Debug, FromRow)]
struct RecordRow {
    id: StreamId,
    conversation_id: ConversationId,
    branch_id: BranchId,
    user_message_id: MessageId,
    message_id: MessageId,
    request_id: String,
    model: String,
    status: String,
    started_at: i64,
    ended_at: Option<i64>,
    has_message: bool,
}

impl RecordRow {
    fn into_record(self) -> Result<GenerationRecord, DatabaseError> {
        Ok(GenerationRecord {
            turn: TurnIds {
                conversation_id: self.conversation_id,
                branch_id: self.branch_id,
                user_message_id: self.user_message_id,
                message_id: self.message_id,
                stream_id: self.id,
            },
            has_message: self.has_message,
            request_id: self.request_id,
            model: self.model,
            started_at: time(self.started_at)?,
            status: named(MessageStatus::from_name, &self.status)?,
            ended_at: self.ended_at.map(time).transpose()?,
        })
    }
}
