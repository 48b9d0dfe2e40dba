//! Writing messages in SQLite, and walking their tree.

use std::ops::DerefMut;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::values::{EMPTY_OBJECT, id_list, millis, raw, stored};
use super::{SqliteRows, texts};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::services::conversations::ContextMessage;
use crate::services::sql::records::{ContextRecord, MessageRecord, NodeRecord, RemovedRecord};
use crate::services::sql::rows::{
    Edge, ImportedCopy, MessageRow, MessageRows, NewText, Node, Origin, Removed, RowsResult,
};

statements! {
    INSERT = "INSERT INTO messages
         (id, conversation_id, branch_id, parent_id, depth, jump_id, jump_depth, role, content, parts, model, status,
          finish_reason, prompt_tokens, completion_tokens, total_tokens, usage_estimated, cost, latency_ms,
          first_token_ms, tool_calls, tool_call_id, reasoning, metadata, edited, origin_id, source_id,
          source_hash, created_at, updated_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
             ?24, ?25, ?26, ?27, ?28, ?29, ?30)";
    SET_TEXT = "UPDATE messages SET content = ?2, parts = ?3, edited = ?4,
         source_hash = coalesce(?5, source_hash), updated_at = ?6
     WHERE id = ?1";
    SUM = "SELECT count(*) AS messages, coalesce(sum(total_tokens >> 32), 0) AS tokens_high,
         coalesce(sum(total_tokens & 4294967295), 0) AS tokens_low,
         coalesce(sum(cost >> 32), 0) AS cost_high, coalesce(sum(cost & 4294967295), 0) AS cost_low
     FROM messages WHERE id IN (SELECT unhex(value) FROM json_each(?1))";
    // One statement for all: that nothing leads to them any more is checked at its end.
    DELETE = "DELETE FROM messages WHERE id IN (SELECT unhex(value) FROM json_each(?1))";
    SET_BRANCH = "UPDATE messages SET branch_id = ?2 WHERE id IN (SELECT unhex(value) FROM json_each(?1))";
    NODE = "SELECT m.id, m.parent_id, m.branch_id, m.depth, m.jump_id, m.jump_depth, m.role, m.status, m.tool_calls,
         further.jump_id AS further_jump_id, coalesce(further.jump_depth, 0) AS further_jump_depth
     FROM messages m LEFT JOIN messages further ON further.id = m.jump_id
     WHERE m.id = ?1 AND m.conversation_id = ?2";
    ORIGINS = "WITH RECURSIVE path (number, id, parent_id, origin_id) AS (
         SELECT number, id, parent_id, origin_id FROM messages WHERE id = ?1
         UNION ALL
         SELECT m.number, m.id, m.parent_id, m.origin_id FROM path JOIN messages m ON m.id = path.parent_id
     )
     SELECT id, coalesce(origin_id, id) FROM path ORDER BY number";
    SUBTREE = "WITH RECURSIVE subtree (id) AS (
         SELECT ?1
         UNION ALL
         SELECT m.id FROM subtree JOIN messages m ON m.parent_id = subtree.id
     )
     SELECT id FROM subtree";
    EDGES = "SELECT id, parent_id, branch_id FROM messages WHERE conversation_id = ?1 ORDER BY number";
    WHOLE = "SELECT * FROM messages WHERE id IN (SELECT unhex(value) FROM json_each(?1)) ORDER BY number";
    CONTEXT = "WITH RECURSIVE path (number, parent_id) AS (
         SELECT number, parent_id FROM messages WHERE id = ?1
         UNION ALL
         SELECT m.number, m.parent_id FROM path JOIN messages m ON m.id = path.parent_id
         LIMIT ?2
     )
     SELECT m.role, m.content, m.parts, m.tool_calls, m.tool_call_id
     FROM path JOIN messages m ON m.number = path.number ORDER BY path.number";
    IMPORTED = "SELECT id, coalesce(origin_id, id), source_id, source_hash FROM messages
     WHERE conversation_id = ?1 AND source_id IS NOT NULL";
}

#[async_trait]
impl<C> MessageRows for SqliteRows<C>
where
    C: DerefMut<Target = SqliteConnection> + Send,
{
    async fn insert_messages(
        &mut self,
        user: UserId,
        conversation: ConversationId,
        rows: &[MessageRow],
    ) -> RowsResult<()> {
        for row in rows {
            insert(self.connection(), conversation, row).await?;
            texts::add(self.connection(), user, row.id, &row.content).await?;
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
        let ids = id_list(ids.iter().map(|id| id.0));
        let removed: RemovedRecord = sqlx::query_as(SUM)
            .bind(&ids)
            .fetch_one(self.connection())
            .await?;
        sqlx::query(DELETE).bind(&ids).execute(self.connection()).await?;
        Ok(removed.into())
    }

    async fn set_branch(&mut self, ids: &[MessageId], branch: BranchId) -> RowsResult<()> {
        sqlx::query(SET_BRANCH)
            .bind(id_list(ids.iter().map(|id| id.0)))
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
        let rows: Vec<(MessageId,)> = sqlx::query_as(SUBTREE)
            .bind(id)
            .fetch_all(self.connection())
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
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
            .bind(id_list(ids.iter().map(|id| id.0)))
            .fetch_all(self.connection())
            .await?;
        records.into_iter().map(MessageRecord::into_row).collect()
    }

    async fn context(&mut self, head: MessageId, limit: u32) -> RowsResult<Vec<ContextMessage>> {
        let records: Vec<ContextRecord> = sqlx::query_as(CONTEXT)
            .bind(head)
            .bind(limit)
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

async fn insert(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    row: &MessageRow,
) -> sqlx::Result<()> {
    let usage = row.usage.as_ref();
    sqlx::query(INSERT)
        .bind(row.id)
        .bind(conversation)
        .bind(row.branch_id)
        .bind(row.parent_id)
        .bind(row.depth)
        .bind(row.jump.id)
        .bind(row.jump.depth)
        .bind(row.role.as_str())
        .bind(&row.content)
        .bind(raw(row.parts.as_deref()))
        .bind(row.model.as_deref())
        .bind(row.status.as_str())
        .bind(row.finish_reason.as_deref())
        .bind(usage.map(|usage| stored(usage.prompt_tokens)))
        .bind(usage.map(|usage| stored(usage.completion_tokens)))
        .bind(usage.map(|usage| stored(usage.total_tokens)))
        .bind(usage.is_some_and(|usage| usage.estimated))
        .bind(usage.and_then(|usage| usage.cost_usd))
        .bind(row.latency_ms.map(stored))
        .bind(row.first_token_ms.map(stored))
        .bind(raw(row.tool_calls.as_deref()))
        .bind(row.tool_call_id.as_deref())
        .bind(row.reasoning.as_deref())
        .bind(raw(row.metadata.as_deref()).unwrap_or(EMPTY_OBJECT))
        .bind(row.edited)
        .bind(row.origin_id)
        .bind(row.source_id.as_deref())
        .bind(row.source_hash)
        .bind(millis(row.created_at))
        .bind(millis(row.updated_at))
        .execute(connection)
        .await?;
    Ok(())
}
