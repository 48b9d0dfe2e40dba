//! Running answers in PostgreSQL, and how they end.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::values::millis;
use super::{PostgresRows, texts};
use crate::models::ids::{ConversationId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::services::conversations::{FinishedAnswer, IdempotencyKey};
use crate::services::sql::records::{ClaimRecord, KeyedRecord, RunningRecord};
use crate::services::sql::rows::{AnswerRows, ClaimRow, ClaimState, KeyedAnswer, RowsResult, RunningAnswer};
use crate::services::sql::values::{raw, stored};

const RUNNING: &str = "SELECT id, branch_id, parent_id, user_message_id, message_id FROM generations
     WHERE conversation_id = $1 AND status = 'streaming'";

const CLAIM: &str = "INSERT INTO generations
         (id, user_id, conversation_id, branch_id, parent_id, user_message_id, message_id, model, request_id, streamed,
          sent_bytes, started_at, instance_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

const TAKE_KEY: &str = "INSERT INTO idempotency_keys (user_id, key, request_hash, stream_id, created_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (user_id, key) DO UPDATE
     SET request_hash = excluded.request_hash, stream_id = excluded.stream_id, created_at = excluded.created_at
     WHERE idempotency_keys.created_at <= $6";

const KEYED: &str = "SELECT k.request_hash, k.stream_id, g.conversation_id, g.user_message_id, g.status, m.id IS NOT NULL AS has_message
     FROM idempotency_keys k LEFT JOIN generations g ON g.id = k.stream_id LEFT JOIN messages m ON m.id = g.message_id
     WHERE k.user_id = $1 AND k.key = $2 AND k.created_at > $3";

const MOVE_KEY: &str = "UPDATE idempotency_keys SET stream_id = $3 WHERE user_id = $1 AND key = $2";

const STATE: &str = "SELECT status, taken_over FROM generations WHERE id = $1 FOR UPDATE";

const FILL: &str = "UPDATE messages
     SET content = $2, model = $3, status = $4, finish_reason = $5, prompt_tokens = $6, completion_tokens = $7,
         total_tokens = $8, usage_estimated = $9, cost = $10, latency_ms = $11, first_token_ms = $12,
         tool_calls = $13::json, reasoning = $14, updated_at = $15
     WHERE id = $1 AND status = $16";

const END: &str = "UPDATE generations SET status = $2, taken_over = $3, ended_at = $4, error = $5::json
         WHERE id = $1";

/// A statement of its own after [`END`], so that it sees the checkpoints that were written while that waited.
const FORGET_CHECKPOINTS: &str = "DELETE FROM checkpoints WHERE generation_id = $1";

#[async_trait]
impl AnswerRows for PostgresRows {
    async fn running(&mut self, conversation: ConversationId) -> RowsResult<Vec<RunningAnswer>> {
        let records: Vec<RunningRecord> = sqlx::query_as(RUNNING)
            .bind(conversation)
            .fetch_all(self.connection())
            .await?;
        Ok(records.into_iter().map(RunningAnswer::from).collect())
    }

    async fn insert_claim(&mut self, row: &ClaimRow) -> RowsResult<()> {
        sqlx::query(CLAIM)
            .bind(row.stream_id)
            .bind(row.user_id)
            .bind(row.conversation_id)
            .bind(row.branch_id)
            .bind(row.parent_id)
            .bind(row.user_message_id)
            .bind(row.message_id)
            .bind(&*row.model)
            .bind(&*row.request_id)
            .bind(row.streamed)
            .bind(stored(row.sent_bytes))
            .bind(millis(row.started_at))
            .bind(row.instance_id)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn take_key(
        &mut self,
        user: UserId,
        key: &IdempotencyKey,
        stream: StreamId,
        (now, expired): (DateTime<Utc>, DateTime<Utc>),
    ) -> RowsResult<bool> {
        let taken = sqlx::query(TAKE_KEY)
            .bind(user)
            .bind(&*key.key)
            .bind(key.request_hash.as_slice())
            .bind(stream)
            .bind(millis(now))
            .bind(millis(expired))
            .execute(self.connection())
            .await?;
        Ok(taken.rows_affected() > 0)
    }

    async fn keyed_answer(
        &mut self,
        user: UserId,
        key: &str,
        expired: DateTime<Utc>,
    ) -> RowsResult<Option<KeyedAnswer>> {
        let record: Option<KeyedRecord> = sqlx::query_as(KEYED)
            .bind(user)
            .bind(key)
            .bind(millis(expired))
            .fetch_optional(self.connection())
            .await?;
        record.map(KeyedRecord::into_answer).transpose()
    }

    async fn move_key(&mut self, user: UserId, key: &str, stream: StreamId) -> RowsResult<()> {
        sqlx::query(MOVE_KEY)
            .bind(user)
            .bind(key)
            .bind(stream)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn claim(&mut self, id: StreamId) -> RowsResult<Option<ClaimState>> {
        let record: Option<ClaimRecord> = sqlx::query_as(STATE)
            .bind(id)
            .fetch_optional(self.connection())
            .await?;
        record.map(ClaimRecord::into_state).transpose()
    }

    async fn fill_place(
        &mut self,
        answer: &FinishedAnswer,
        from: MessageStatus,
        to: MessageStatus,
    ) -> RowsResult<bool> {
        let usage = &answer.usage;
        let done = sqlx::query(FILL)
            .bind(answer.message_id)
            .bind(&answer.content)
            .bind(&*answer.model)
            .bind(to.as_str())
            .bind(answer.finish_reason.as_deref())
            .bind(stored(usage.prompt_tokens))
            .bind(stored(usage.completion_tokens))
            .bind(stored(usage.total_tokens()))
            .bind(usage.estimated)
            .bind(usage.cost)
            .bind(answer.latency_ms.map(stored))
            .bind(answer.first_token_ms.map(stored))
            .bind(raw(answer.tool_calls.as_deref()))
            .bind(answer.reasoning.as_deref())
            .bind(millis(answer.ended_at))
            .bind(from.as_str())
            .execute(self.connection())
            .await?;
        let filled = done.rows_affected() > 0;
        if filled {
            texts::replace(self.connection(), answer.message_id, &answer.content).await?;
        }
        Ok(filled)
    }

    async fn end_claim(
        &mut self,
        id: StreamId,
        end: ClaimState,
        error: Option<&RawValue>,
        now: DateTime<Utc>,
    ) -> RowsResult<()> {
        sqlx::query(END)
            .bind(id)
            .bind(end.status.as_str())
            .bind(end.taken_over)
            .bind(millis(now))
            .bind(raw(error))
            .execute(self.connection())
            .await?;
        if end.status != MessageStatus::Interrupted {
            sqlx::query(FORGET_CHECKPOINTS)
                .bind(id)
                .execute(self.connection())
                .await?;
        }
        Ok(())
    }
}
