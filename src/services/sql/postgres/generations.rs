//! Running answers in PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PostgresDatabase;
use super::values::millis;
use crate::models::ids::{ConversationId, InstanceId, StreamId, UserId};
use crate::services::generation::{
    ABANDONED_BATCH, Checkpoint, GenerationRecord, GenerationRecords, UnfinishedGeneration,
};
use crate::services::sql::records::{CheckpointRecord, StateRecord, UnfinishedRecord};
use crate::services::sql::values::stored;
use crate::utils::database::DatabaseError;

/// Ended answers forgotten in one transaction.
const FORGET_BATCH: i64 = 500;

/// Nothing is written for an answer that was deleted or has ended meanwhile. What ends one waits for this, and then
/// removes what this has written; the order keeps two of these from waiting for each other.
const APPEND: &str = "WITH running AS (
         SELECT id FROM generations WHERE id = ANY ($1) AND status = 'streaming' ORDER BY id FOR SHARE
     )
     INSERT INTO checkpoints (generation_id, first_event, content, reasoning, marks, tool_calls)
     SELECT new.id, first_event, content, reasoning, marks::json, tool_calls::json
     FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
         new (id, first_event, content, reasoning, marks, tool_calls)
     JOIN running ON running.id = new.id
     ON CONFLICT (generation_id, first_event) DO UPDATE
     SET content = excluded.content, reasoning = excluded.reasoning, marks = excluded.marks,
         tool_calls = excluded.tool_calls
     WHERE json_array_length(excluded.marks) > json_array_length(checkpoints.marks)";

const CHECKPOINTS: &str = "SELECT generation_id, first_event, content, reasoning, marks::text AS marks,
         tool_calls::text AS tool_calls
     FROM checkpoints
     WHERE generation_id = $1 AND first_event >= coalesce(
         (SELECT max(first_event) FROM checkpoints WHERE generation_id = $1 AND first_event <= $2), 0)
     ORDER BY first_event";

/// What waits in the outbox is more than the checkpoints have; what is dead there waits for nothing.
macro_rules! unfinished {
    ($condition:literal) => {
        concat!(
            "SELECT id, user_id, conversation_id, branch_id, user_message_id, message_id, model, request_id, streamed, sent_bytes
             FROM generations g
             WHERE status = 'streaming' AND NOT EXISTS
                 (SELECT FROM outbox WHERE outbox.id = g.id AND next_attempt_at < 'infinity') AND ",
            $condition
        )
    };
}

const UNFINISHED_HERE: &str =
    unfinished!("instance_id = $1 AND ($2::timestamptz IS NULL OR started_at < $2) AND NOT (id = ANY ($3))");

const ABANDONED: &str = unfinished!(
    "instance_id <> $1 AND NOT EXISTS (SELECT FROM instances i
         WHERE i.id = g.instance_id AND i.heard_at > now() - make_interval(secs => $2))
     ORDER BY started_at, id LIMIT $3"
);

const RENEW: &str = "INSERT INTO instances (id, heard_at) VALUES ($1, now())
     ON CONFLICT (id) DO UPDATE SET heard_at = excluded.heard_at";

/// Instances that left without a word are forgotten on the way, long after their answers were closed.
const END: &str = "DELETE FROM instances WHERE id = $1 OR heard_at < now() - interval '1 day'";

const SILENT: &str =
    "SELECT id FROM instances WHERE id <> $1 AND heard_at <= now() - make_interval(secs => $2)";

const REQUEST_CANCEL: &str =
    "UPDATE generations SET cancelled = true WHERE id = $1 AND user_id = $2 AND status = 'streaming'";

const CANCEL_REQUESTS: &str =
    "SELECT id FROM generations WHERE instance_id = $1 AND status = 'streaming' AND cancelled";

const RUNNING_IN: &str = "SELECT id FROM generations
     WHERE conversation_id = $1 AND user_id = $2 AND status = 'streaming' ORDER BY id";

const ONE: &str =
    "SELECT g.id, g.conversation_id, g.branch_id, g.user_message_id, g.message_id, g.request_id, g.model,
         g.status, g.error::text AS error, g.started_at, g.ended_at, m.id IS NOT NULL AS has_message
     FROM generations g LEFT JOIN messages m ON m.id = g.message_id
     WHERE g.id = $1 AND g.user_id = $2";

/// What somebody deletes with its conversation right now is theirs to delete.
const FORGET: &str = "DELETE FROM generations WHERE id IN
         (SELECT id FROM generations WHERE ended_at < $1 AND (NOT taken_over OR ended_at < $2)
          ORDER BY ended_at LIMIT $3 FOR UPDATE SKIP LOCKED)";

const FORGET_KEYS: &str = "DELETE FROM idempotency_keys WHERE (user_id, key) IN
         (SELECT user_id, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl GenerationRecords for PostgresDatabase {
    async fn append_checkpoints(&self, checkpoints: Vec<Checkpoint>) -> Result<(), DatabaseError> {
        let marks: Vec<String> = checkpoints
            .iter()
            .map(|checkpoint| serde_json::to_string(&checkpoint.marks))
            .collect::<Result<_, _>>()
            .map_err(DatabaseError::encode)?;
        sqlx::query(APPEND)
            .bind(column(&checkpoints, |checkpoint| checkpoint.stream_id))
            .bind(column(&checkpoints, |checkpoint| stored(checkpoint.first_event)))
            .bind(column(&checkpoints, |checkpoint| checkpoint.content.as_str()))
            .bind(column(&checkpoints, |checkpoint| checkpoint.reasoning.as_str()))
            .bind(marks)
            .bind(column(&checkpoints, |checkpoint| {
                checkpoint.tool_calls.as_deref()
            }))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn checkpoints(&self, stream: StreamId, from: u64) -> Result<Vec<Checkpoint>, DatabaseError> {
        let rows: Vec<CheckpointRecord> = sqlx::query_as(CHECKPOINTS)
            .bind(stream)
            .bind(stored(from))
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(CheckpointRecord::into_checkpoint).collect()
    }

    async fn renew_lease(&self) -> Result<(), DatabaseError> {
        sqlx::query(RENEW).bind(self.instance).execute(&self.pool).await?;
        Ok(())
    }

    async fn end_lease(&self) -> Result<(), DatabaseError> {
        sqlx::query(END).bind(self.instance).execute(&self.pool).await?;
        Ok(())
    }

    async fn silent(&self, silence: Duration) -> Result<Vec<InstanceId>, DatabaseError> {
        let silent = sqlx::query_scalar(SILENT)
            .bind(self.instance)
            .bind(silence.as_secs_f64())
            .fetch_all(&self.pool)
            .await?;
        Ok(silent)
    }

    async fn unfinished_here(
        &self,
        before: Option<DateTime<Utc>>,
        known: &[StreamId],
    ) -> Result<Vec<UnfinishedGeneration>, DatabaseError> {
        let rows: Vec<UnfinishedRecord> = sqlx::query_as(UNFINISHED_HERE)
            .bind(self.instance)
            .bind(before.map(millis))
            .bind(known)
            .fetch_all(&self.pool)
            .await?;
        Ok(self.unfinished(rows))
    }

    async fn abandoned(&self, silence: Duration) -> Result<Vec<UnfinishedGeneration>, DatabaseError> {
        let rows: Vec<UnfinishedRecord> = sqlx::query_as(ABANDONED)
            .bind(self.instance)
            .bind(silence.as_secs_f64())
            .bind(i64::from(ABANDONED_BATCH))
            .fetch_all(&self.pool)
            .await?;
        Ok(self.unfinished(rows))
    }

    async fn request_cancel(&self, user: UserId, stream: StreamId) -> Result<bool, DatabaseError> {
        let done = sqlx::query(REQUEST_CANCEL)
            .bind(stream)
            .bind(user)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn cancel_requests(&self) -> Result<Vec<StreamId>, DatabaseError> {
        Ok(sqlx::query_scalar(CANCEL_REQUESTS)
            .bind(self.instance)
            .fetch_all(&self.pool)
            .await?)
    }

    async fn running_in(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Vec<StreamId>, DatabaseError> {
        Ok(sqlx::query_scalar(RUNNING_IN)
            .bind(conversation)
            .bind(user)
            .fetch_all(&self.pool)
            .await?)
    }

    async fn generation(
        &self,
        user: UserId,
        stream: StreamId,
    ) -> Result<Option<GenerationRecord>, DatabaseError> {
        let row: Option<StateRecord> = sqlx::query_as(ONE)
            .bind(stream)
            .bind(user)
            .fetch_optional(&self.pool)
            .await?;
        row.map(StateRecord::into_record).transpose()
    }

    async fn forget_keys(&self, before: DateTime<Utc>) -> Result<u64, DatabaseError> {
        let done = sqlx::query(FORGET_KEYS)
            .bind(millis(before))
            .bind(FORGET_BATCH)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }

    async fn forget_ended(
        &self,
        before: DateTime<Utc>,
        taken_over_before: DateTime<Utc>,
    ) -> Result<u64, DatabaseError> {
        let done = sqlx::query(FORGET)
            .bind(millis(before))
            .bind(millis(taken_over_before))
            .bind(FORGET_BATCH)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }
}

impl PostgresDatabase {
    fn unfinished(&self, rows: Vec<UnfinishedRecord>) -> Vec<UnfinishedGeneration> {
        let now = self.clock.now();
        rows.into_iter().map(|row| row.into_unfinished(now)).collect()
    }
}

/// One value of every checkpoint.
fn column<'c, T>(checkpoints: &'c [Checkpoint], value: impl Fn(&'c Checkpoint) -> T) -> Vec<T> {
    checkpoints.iter().map(value).collect()
}
