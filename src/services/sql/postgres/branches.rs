//! Branches in PostgreSQL.

use async_trait::async_trait;

use super::PostgresRows;
use super::columns::branch_columns;
use super::values::millis;
use crate::models::branch::Branch;
use crate::models::ids::{BranchId, ConversationId};
use crate::services::sql::records::{BranchRecord, ShownBranchRecord};
use crate::services::sql::rows::{BranchRow, BranchRows, RowsResult};

#[async_trait]
impl BranchRows for PostgresRows {
    async fn insert_branch(&mut self, row: &BranchRow) -> RowsResult<()> {
        sqlx::query(
            "INSERT INTO branches
                 (id, conversation_id, name, status, is_main, parent_message_id, head_message_id, source_id, created_at,
                  updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(row.id)
        .bind(row.conversation_id)
        .bind(&row.name)
        .bind(row.status.as_str())
        .bind(row.is_main)
        .bind(row.fork)
        .bind(row.head)
        .bind(row.source_id.as_deref())
        .bind(millis(row.created_at))
        .bind(millis(row.updated_at))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn save_branch(&mut self, row: &BranchRow) -> RowsResult<()> {
        sqlx::query(
            "UPDATE branches
             SET name = $2, status = $3, parent_message_id = $4, head_message_id = $5, updated_at = $6
             WHERE id = $1",
        )
        .bind(row.id)
        .bind(&row.name)
        .bind(row.status.as_str())
        .bind(row.fork)
        .bind(row.head)
        .bind(millis(row.updated_at))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn delete_branch(&mut self, id: BranchId) -> RowsResult<()> {
        sqlx::query("DELETE FROM branches WHERE id = $1")
            .bind(id)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn branch_row(
        &mut self,
        conversation: ConversationId,
        id: BranchId,
    ) -> RowsResult<Option<BranchRow>> {
        let row: Option<BranchRecord> = sqlx::query_as(concat!(
            "SELECT ",
            branch_columns!(),
            " FROM branches b WHERE b.id = $1 AND b.conversation_id = $2"
        ))
        .bind(id)
        .bind(conversation)
        .fetch_optional(self.connection())
        .await?;
        row.map(BranchRecord::into_row).transpose()
    }

    async fn branch_rows(&mut self, conversation: ConversationId) -> RowsResult<Vec<BranchRow>> {
        let rows: Vec<BranchRecord> = sqlx::query_as(concat!(
            "SELECT ",
            branch_columns!(),
            " FROM branches b WHERE b.conversation_id = $1 ORDER BY b.is_main DESC, b.id"
        ))
        .bind(conversation)
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(BranchRecord::into_row).collect()
    }

    async fn branches(&mut self, conversation: ConversationId, active: BranchId) -> RowsResult<Vec<Branch>> {
        let rows: Vec<ShownBranchRecord> = sqlx::query_as(concat!(
            "SELECT ",
            branch_columns!(),
            ", coalesce(head.depth, 0) AS head_depth, coalesce(fork.depth, 0) AS fork_depth
             FROM branches b
             LEFT JOIN messages head ON head.id = b.head_message_id
             LEFT JOIN messages fork ON fork.id = b.parent_message_id
             WHERE b.conversation_id = $1
             ORDER BY b.is_main DESC, b.id"
        ))
        .bind(conversation)
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(|row| row.into_model(active)).collect()
    }
}
