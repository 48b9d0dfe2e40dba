//! Making a conversation in SQLite.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::branches;
use super::rows::count;
use crate::models::ids::{BranchId, ConversationId};
use crate::services::auth::Caller;
use crate::services::conversations::{NewConversation, StoreError};

/// Makes a conversation with its main branch, and its user if this is the first of them.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    caller: &Caller,
    id: ConversationId,
    branch: BranchId,
    new: &NewConversation,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO users (id, email, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (id) DO UPDATE SET email = excluded.email, updated_at = excluded.updated_at
         WHERE excluded.email IS NOT NULL AND email IS NOT excluded.email",
    )
    .bind(caller.user_id)
    .bind(caller.email.as_deref())
    .bind(now.timestamp_millis())
    .execute(&mut *connection)
    .await?;
    let (current,): (i64,) = sqlx::query_as("SELECT count(*) FROM conversations WHERE user_id = ?1")
        .bind(caller.user_id)
        .fetch_one(&mut *connection)
        .await?;
    if count(current) >= u64::from(limit) {
        return Err(StoreError::LimitReached {
            what: "conversations",
            limit,
            current: count(current),
        });
    }
    sqlx::query(
        "INSERT INTO conversations
             (id, user_id, title, model, system_message, metadata, active_branch_id, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
    )
    .bind(id)
    .bind(caller.user_id)
    .bind(new.title.as_deref())
    .bind(new.model.as_deref())
    .bind(new.system_message.as_deref())
    .bind(new.metadata.as_ref().map_or("{}", |metadata| metadata.get()))
    .bind(branch)
    .bind(now.timestamp_millis())
    .execute(&mut *connection)
    .await?;
    branches::insert_main(connection, branch, id, now).await?;
    Ok(())
}
