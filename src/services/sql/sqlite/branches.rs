//! Branches in SQLite.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::rows::BranchRow;
use crate::models::branch::Branch;
use crate::models::ids::{BranchId, ConversationId, MessageId};
use crate::utils::database::DatabaseError;

/// The name of the branch that a conversation begins with.
const MAIN: &str = "Main";

/// All branches of a conversation, the oldest first.
pub(super) async fn branches(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    active: BranchId,
) -> Result<Vec<Branch>, DatabaseError> {
    let rows: Vec<BranchRow> = sqlx::query_as(
        "SELECT b.id, b.conversation_id, b.name, b.status, b.is_main, b.parent_message_id, b.head_message_id,
                coalesce(head.depth, 0) AS path_length, coalesce(fork.depth, 0) AS shared_length,
                b.created_at, b.updated_at
         FROM branches b
         LEFT JOIN messages head ON head.id = b.head_message_id
         LEFT JOIN messages fork ON fork.id = b.parent_message_id
         WHERE b.conversation_id = ?1
         ORDER BY b.id",
    )
    .bind(conversation)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.into_model(active)).collect()
}

/// Makes the main branch of a new conversation.
pub(super) async fn insert_main(
    connection: &mut SqliteConnection,
    id: BranchId,
    conversation: ConversationId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO branches (id, conversation_id, name, is_main, created_at, updated_at)
         VALUES (?1, ?2, ?3, 1, ?4, ?4)",
    )
    .bind(id)
    .bind(conversation)
    .bind(MAIN)
    .bind(now.timestamp_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes a branch that leaves the tree at `fork` and makes it the active one.
pub(super) async fn insert_fork(
    connection: &mut SqliteConnection,
    id: BranchId,
    conversation: ConversationId,
    fork: MessageId,
    number: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO branches
             (id, conversation_id, name, is_main, parent_message_id, head_message_id, created_at, updated_at)
         VALUES (?1, ?2, ?3, 0, ?4, ?4, ?5, ?5)",
    )
    .bind(id)
    .bind(conversation)
    .bind(format!("Branch {number}"))
    .bind(fork)
    .bind(now.timestamp_millis())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE conversations SET active_branch_id = ?2, branch_count = branch_count + 1, updated_at = ?3
         WHERE id = ?1",
    )
    .bind(conversation)
    .bind(id)
    .bind(now.timestamp_millis())
    .execute(connection)
    .await?;
    Ok(())
}
