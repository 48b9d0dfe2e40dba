//! Conversations in PostgreSQL, and the users that have them.

mod list;
mod stats;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use sqlx::PgConnection;

use super::PostgresRows;
use super::columns::conversation_columns;
use super::values::millis;
use crate::models::common::Page;
use crate::models::conversation::{Conversation, ConversationStats};
use crate::models::ids::{ConversationId, UserId};
use crate::services::auth::Caller;
use crate::services::conversations::search::SearchQuery;
use crate::services::conversations::{ConversationFilter, ConversationOrder};
use crate::services::sql::records::ConversationRecord;
use crate::services::sql::rows::{ConversationRow, ConversationRows, RowsResult};
use crate::services::sql::values::{count, stored};

/// Locks the row whether or not it changes it.
const SAVE_USER: &str = "INSERT INTO users (id, email, created_at, updated_at) VALUES ($1, $2, $3, $3)
     ON CONFLICT (id) DO UPDATE SET email = excluded.email, updated_at = excluded.updated_at
     WHERE excluded.email IS NOT NULL AND users.email IS DISTINCT FROM excluded.email";

/// A statement of its own after [`SAVE_USER`], so that it sees what the last holder of the lock has committed.
const COUNT: &str = "SELECT count(*) FROM conversations WHERE user_id = $1";

const INSERT: &str = "INSERT INTO conversations
         (id, user_id, title, search_title, model, status, system_message, metadata, active_branch_id, message_count,
          branch_count, total_tokens, total_cost, preview, imported_from, created_at, updated_at, last_message_at,
          source_hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8::json, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";

const SAVE: &str = "UPDATE conversations
     SET title = $2, search_title = $3, model = $4, status = $5, system_message = $6, metadata = $7::json,
         active_branch_id = $8, message_count = $9, branch_count = $10, total_tokens = $11, total_cost = $12,
         preview = $13, updated_at = $14, last_message_at = $15, source_hash = $16
     WHERE id = $1";

const DELETE: &str = "DELETE FROM conversations WHERE id = $1";

const ONE: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM conversations c WHERE c.id = $1 AND c.user_id = $2"
);

const LOCK: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM conversations c WHERE c.id = $1 AND c.user_id = $2 FOR UPDATE"
);

const SOME: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM conversations c WHERE c.id = ANY ($1) AND c.user_id = $2"
);

const ANY: &str = "SELECT id FROM conversations LIMIT 1";

const COPY: &str = "SELECT id FROM conversations WHERE user_id = $1 AND imported_from = $2";

const FIRST_TEXT: &str =
    "SELECT content FROM messages WHERE conversation_id = $1 AND role = 'user' ORDER BY number LIMIT 1";

const NEWEST_MESSAGE: &str = "SELECT max(created_at) FROM messages WHERE conversation_id = $1";

/// Makes the user if this is the first that is heard of them, and locks them.
pub(super) async fn save_user(
    connection: &mut PgConnection,
    caller: &Caller,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(SAVE_USER)
        .bind(caller.user_id)
        .bind(caller.email.as_deref())
        .bind(millis(now))
        .execute(connection)
        .await?;
    Ok(())
}

#[async_trait]
impl ConversationRows for PostgresRows {
    async fn lock_user(&mut self, caller: &Caller, now: DateTime<Utc>) -> RowsResult<u64> {
        save_user(self.connection(), caller, now).await?;
        let conversations = sqlx::query_scalar(COUNT)
            .bind(caller.user_id)
            .fetch_one(self.connection())
            .await?;
        Ok(count(conversations))
    }

    async fn insert_conversation(&mut self, row: &ConversationRow) -> RowsResult<()> {
        let shown = &row.shown;
        sqlx::query(INSERT)
            .bind(shown.id)
            .bind(shown.user_id)
            .bind(shown.title.as_deref())
            .bind(&row.search_title)
            .bind(shown.model.as_deref())
            .bind(shown.status.as_str())
            .bind(shown.system_message.as_deref())
            .bind(shown.metadata.get())
            .bind(shown.active_branch_id)
            .bind(stored(shown.message_count))
            .bind(stored(shown.branch_count))
            .bind(stored(shown.total_tokens))
            .bind(shown.total_cost)
            .bind(shown.preview.as_deref())
            .bind(shown.imported_from.as_deref())
            .bind(millis(shown.created_at))
            .bind(millis(shown.updated_at))
            .bind(shown.last_message_at.map(millis))
            .bind(row.source_hash)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn lock_conversation(
        &mut self,
        user: UserId,
        id: ConversationId,
    ) -> RowsResult<Option<ConversationRow>> {
        let record: Option<ConversationRecord> = sqlx::query_as(LOCK)
            .bind(id)
            .bind(user)
            .fetch_optional(self.connection())
            .await?;
        record.map(ConversationRecord::into_row).transpose()
    }

    async fn save_conversation(&mut self, row: &ConversationRow) -> RowsResult<()> {
        let shown = &row.shown;
        sqlx::query(SAVE)
            .bind(shown.id)
            .bind(shown.title.as_deref())
            .bind(&row.search_title)
            .bind(shown.model.as_deref())
            .bind(shown.status.as_str())
            .bind(shown.system_message.as_deref())
            .bind(shown.metadata.get())
            .bind(shown.active_branch_id)
            .bind(stored(shown.message_count))
            .bind(stored(shown.branch_count))
            .bind(stored(shown.total_tokens))
            .bind(shown.total_cost)
            .bind(shown.preview.as_deref())
            .bind(millis(shown.updated_at))
            .bind(shown.last_message_at.map(millis))
            .bind(row.source_hash)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn delete_conversation(&mut self, id: ConversationId) -> RowsResult<()> {
        sqlx::query(DELETE).bind(id).execute(self.connection()).await?;
        Ok(())
    }

    async fn conversation(&mut self, user: UserId, id: ConversationId) -> RowsResult<Option<Conversation>> {
        let record: Option<ConversationRecord> = sqlx::query_as(ONE)
            .bind(id)
            .bind(user)
            .fetch_optional(self.connection())
            .await?;
        record.map(ConversationRecord::into_model).transpose()
    }

    async fn conversations_by_id(
        &mut self,
        user: UserId,
        ids: &[ConversationId],
    ) -> RowsResult<Vec<Conversation>> {
        let records: Vec<ConversationRecord> = sqlx::query_as(SOME)
            .bind(ids)
            .bind(user)
            .fetch_all(self.connection())
            .await?;
        records.into_iter().map(ConversationRecord::into_model).collect()
    }

    async fn conversation_page(
        &mut self,
        user: UserId,
        query: Option<&SearchQuery>,
        filter: &ConversationFilter,
        order: ConversationOrder,
        page: Page,
    ) -> RowsResult<(Vec<Conversation>, u64)> {
        list::page(self.connection(), user, query, filter, order, page).await
    }

    async fn conversation_stats(
        &mut self,
        user: UserId,
        since: Option<DateTime<Utc>>,
    ) -> RowsResult<ConversationStats> {
        stats::stats(self.connection(), user, since).await
    }

    async fn check(&mut self) -> RowsResult<()> {
        sqlx::query(ANY).fetch_optional(self.connection()).await?;
        Ok(())
    }

    async fn copy_of(&mut self, user: UserId, source: &str) -> RowsResult<Option<ConversationId>> {
        Ok(sqlx::query_scalar(COPY)
            .bind(user)
            .bind(source)
            .fetch_optional(self.connection())
            .await?)
    }

    async fn first_user_text(&mut self, id: ConversationId) -> RowsResult<Option<String>> {
        Ok(sqlx::query_scalar(FIRST_TEXT)
            .bind(id)
            .fetch_optional(self.connection())
            .await?)
    }

    async fn newest_message_at(&mut self, id: ConversationId) -> RowsResult<Option<DateTime<Utc>>> {
        Ok(sqlx::query_scalar(NEWEST_MESSAGE)
            .bind(id)
            .fetch_one(self.connection())
            .await?)
    }
}
