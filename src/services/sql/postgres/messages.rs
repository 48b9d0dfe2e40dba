//! Writing messages in PostgreSQL, and walking their tree.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::columns::message_columns;
use super::values::millis;
use super::{PostgresRows, texts};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::models::message::MessageUsage;
use crate::services::conversations::ContextMessage;
use crate::services::sql::records::{ContextRecord, MessageRecord, NodeRecord, RemovedRecord};
use crate::services::sql::rows::{
    Edge, ImportedCopy, MessageRow, MessageRows, NewText, Node, Origin, Removed, RowsResult,
};
use crate::services::sql::values::{EMPTY_OBJECT, raw, stored};

/// Messages inserted by one statement.
const INSERT_BATCH: usize = 500;

/// Numbers are given in the order of the arrays.
const INSERT: &str = "INSERT INTO messages
         (conversation_id, id, branch_id, parent_id, depth, jump_id, jump_depth, role, content, parts, model, status,
          finish_reason, prompt_tokens, completion_tokens, total_tokens, usage_estimated, cost, latency_ms,
          first_token_ms, tool_calls, tool_call_id, reasoning, metadata, edited, origin_id, source_id,
          source_hash, created_at, updated_at)
     SELECT $1, id, branch_id, parent_id, depth, jump_id, jump_depth, role, content, parts::json, model, status,
            finish_reason, prompt_tokens, completion_tokens, total_tokens, usage_estimated, cost, latency_ms,
            first_token_ms, tool_calls::json, tool_call_id, reasoning, metadata::json, edited, origin_id, source_id,
            source_hash, created_at, updated_at
     FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::uuid[], $7::bigint[], $8::text[], $9::text[],
                 $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[],
                 $17::boolean[], $18::bigint[], $19::bigint[], $20::bigint[], $21::text[], $22::text[], $23::text[],
                 $24::text[], $25::boolean[], $26::uuid[], $27::text[], $28::bigint[], $29::timestamptz[],
                 $30::timestamptz[])
         WITH ORDINALITY
         new (id, branch_id, parent_id, depth, jump_id, jump_depth, role, content, parts, model, status, finish_reason,
              prompt_tokens, completion_tokens, total_tokens, usage_estimated, cost, latency_ms, first_token_ms,
              tool_calls, tool_call_id, reasoning, metadata, edited, origin_id, source_id, source_hash,
              created_at, updated_at, place)
     ORDER BY place";

const SET_TEXT: &str = "UPDATE messages SET content = $2, parts = $3::json, edited = $4,
         source_hash = coalesce($5, source_hash), updated_at = $6
     WHERE id = $1";

/// One statement for all: that nothing leads to them any more is checked at its end.
const DELETE: &str = "WITH gone AS (DELETE FROM messages WHERE id = ANY ($1) RETURNING total_tokens, cost)
     SELECT count(*) AS messages, coalesce(sum(total_tokens >> 32), 0)::bigint AS tokens_high,
         coalesce(sum(total_tokens & 4294967295), 0)::bigint AS tokens_low,
         coalesce(sum(cost >> 32), 0)::bigint AS cost_high, coalesce(sum(cost & 4294967295), 0)::bigint AS cost_low
     FROM gone";

const SET_BRANCH: &str = "UPDATE messages SET branch_id = $2 WHERE id = ANY ($1)";

const NODE: &str =
    "SELECT m.id, m.parent_id, m.branch_id, m.depth, m.jump_id, m.jump_depth, m.role, m.status,
         m.tool_calls::text AS tool_calls, further.jump_id AS further_jump_id,
         coalesce(further.jump_depth, 0) AS further_jump_depth
     FROM messages m LEFT JOIN messages further ON further.id = m.jump_id
     WHERE m.id = $1 AND m.conversation_id = $2";

const ORIGINS: &str = "WITH RECURSIVE path (number, id, parent_id, origin_id) AS (
         SELECT number, id, parent_id, origin_id FROM messages WHERE id = $1
         UNION ALL
         SELECT m.number, m.id, m.parent_id, m.origin_id FROM path JOIN messages m ON m.id = path.parent_id
     )
     SELECT id, coalesce(origin_id, id) FROM path ORDER BY number";

const SUBTREE: &str = "WITH RECURSIVE subtree (id) AS (
         SELECT $1
         UNION ALL
         SELECT m.id FROM subtree JOIN messages m ON m.parent_id = subtree.id
     )
     SELECT id FROM subtree";

const EDGES: &str =
    "SELECT id, parent_id, branch_id FROM messages WHERE conversation_id = $1 ORDER BY number";

const WHOLE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM messages m WHERE m.id = ANY ($1) ORDER BY m.number"
);

const CONTEXT: &str = "WITH RECURSIVE path (id, parent_id, place) AS (
         SELECT id, parent_id, 1 FROM messages WHERE id = $1
         UNION ALL
         SELECT m.id, m.parent_id, place + 1 FROM path JOIN messages m ON m.id = path.parent_id WHERE place < $2
     )
     SELECT m.role, m.content, m.parts::text AS parts, m.tool_calls::text AS tool_calls, m.tool_call_id
     FROM path JOIN messages m ON m.id = path.id ORDER BY place DESC";

const IMPORTED: &str = "SELECT id, coalesce(origin_id, id), source_id, source_hash FROM messages
     WHERE conversation_id = $1 AND source_id IS NOT NULL";

#[async_trait]
impl MessageRows for PostgresRows {
    async fn insert_messages(
        &mut self,
        user: UserId,
        conversation: ConversationId,
        rows: &[MessageRow],
    ) -> RowsResult<()> {
        for batch in rows.chunks(INSERT_BATCH) {
            insert(self.connection(), conversation, batch).await?;
            let contents = batch.iter().map(|row| (row.id, row.content.as_str()));
            texts::add(self.connection(), user, contents).await?;
        }
        Ok(())
    }

    async fn set_text(&mut self, id: MessageId, text: NewText<'_>) -> RowsResult<()> {
        sqlx::query(SET_TEXT)
            .bind(id)
            .bind(text.content)
            .bind(raw(text.parts))
            .bind(text.edited)
            .bind(text.source_hash)
            .bind(millis(text.updated_at))
            .execute(self.connection())
            .await?;
        Ok(texts::replace(self.connection(), id, text.content).await?)
    }

    async fn delete_messages(&mut self, ids: &[MessageId]) -> RowsResult<Removed> {
        let removed: RemovedRecord = sqlx::query_as(DELETE)
            .bind(ids)
            .fetch_one(self.connection())
            .await?;
        Ok(removed.into())
    }

    async fn set_branch(&mut self, ids: &[MessageId], branch: BranchId) -> RowsResult<()> {
        sqlx::query(SET_BRANCH)
            .bind(ids)
            .bind(branch)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn node(&mut self, conversation: ConversationId, id: MessageId) -> RowsResult<Option<Node>> {
        let record: Option<NodeRecord> = sqlx::query_as(NODE)
            .bind(id)
            .bind(conversation)
            .fetch_optional(self.connection())
            .await?;
        record.map(NodeRecord::into_node).transpose()
    }

    async fn path_origins(&mut self, head: Option<MessageId>) -> RowsResult<Vec<Origin>> {
        let rows: Vec<(MessageId, MessageId)> = sqlx::query_as(ORIGINS)
            .bind(head)
            .fetch_all(self.connection())
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, origin)| Origin { id, origin })
            .collect())
    }

    async fn subtree(&mut self, id: MessageId) -> RowsResult<Vec<MessageId>> {
        Ok(sqlx::query_scalar(SUBTREE)
            .bind(id)
            .fetch_all(self.connection())
            .await?)
    }

    async fn edges(&mut self, conversation: ConversationId) -> RowsResult<Vec<Edge>> {
        let rows: Vec<(MessageId, Option<MessageId>, BranchId)> = sqlx::query_as(EDGES)
            .bind(conversation)
            .fetch_all(self.connection())
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, parent_id, branch_id)| Edge {
                id,
                parent_id,
                branch_id,
            })
            .collect())
    }

    async fn message_rows(&mut self, ids: &[MessageId]) -> RowsResult<Vec<MessageRow>> {
        let records: Vec<MessageRecord> = sqlx::query_as(WHOLE)
            .bind(ids)
            .fetch_all(self.connection())
            .await?;
        records.into_iter().map(MessageRecord::into_row).collect()
    }

    async fn context(&mut self, head: MessageId, limit: u32) -> RowsResult<Vec<ContextMessage>> {
        let records: Vec<ContextRecord> = sqlx::query_as(CONTEXT)
            .bind(head)
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        records.into_iter().map(ContextRecord::into_context).collect()
    }

    async fn imported_copies(&mut self, conversation: ConversationId) -> RowsResult<Vec<ImportedCopy>> {
        let rows: Vec<(MessageId, MessageId, String, Option<i64>)> = sqlx::query_as(IMPORTED)
            .bind(conversation)
            .fetch_all(self.connection())
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, origin, source_id, source_hash)| ImportedCopy {
                id,
                origin,
                source_id,
                source_hash,
            })
            .collect())
    }
}

/// Inserts messages by one statement, whose values are a column of all of them each.
async fn insert(
    connection: &mut PgConnection,
    conversation: ConversationId,
    rows: &[MessageRow],
) -> sqlx::Result<()> {
    sqlx::query(INSERT)
        .bind(conversation)
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.branch_id))
        .bind(column(rows, |row| row.parent_id))
        .bind(column(rows, |row| row.depth))
        .bind(column(rows, |row| row.jump.id))
        .bind(column(rows, |row| row.jump.depth))
        .bind(column(rows, |row| row.role.as_str()))
        .bind(column(rows, |row| row.content.as_str()))
        .bind(column(rows, |row| raw(row.parts.as_deref())))
        .bind(column(rows, |row| row.model.as_deref()))
        .bind(column(rows, |row| row.status.as_str()))
        .bind(column(rows, |row| row.finish_reason.as_deref()))
        .bind(usage_column(rows, |usage| Some(stored(usage.prompt_tokens))))
        .bind(usage_column(rows, |usage| Some(stored(usage.completion_tokens))))
        .bind(usage_column(rows, |usage| Some(stored(usage.total_tokens))))
        .bind(column(rows, |row| {
            row.usage.as_ref().is_some_and(|usage| usage.estimated)
        }))
        .bind(usage_column(rows, |usage| usage.cost_usd))
        .bind(column(rows, |row| row.latency_ms.map(stored)))
        .bind(column(rows, |row| row.first_token_ms.map(stored)))
        .bind(column(rows, |row| raw(row.tool_calls.as_deref())))
        .bind(column(rows, |row| row.tool_call_id.as_deref()))
        .bind(column(rows, |row| row.reasoning.as_deref()))
        .bind(column(rows, |row| {
            raw(row.metadata.as_deref()).unwrap_or(EMPTY_OBJECT)
        }))
        .bind(column(rows, |row| row.edited))
        .bind(column(rows, |row| row.origin_id))
        .bind(column(rows, |row| row.source_id.as_deref()))
        .bind(column(rows, |row| row.source_hash))
        .bind(column(rows, |row| millis(row.created_at)))
        .bind(column(rows, |row| millis(row.updated_at)))
        .execute(connection)
        .await?;
    Ok(())
}

/// One value of every message.
fn column<'r, T>(rows: &'r [MessageRow], value: impl Fn(&'r MessageRow) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// One value of the usage of every message.
fn usage_column<T>(rows: &[MessageRow], value: impl Fn(&MessageUsage) -> Option<T>) -> Vec<Option<T>> {
    column(rows, |row| row.usage.as_ref().and_then(&value))
}
