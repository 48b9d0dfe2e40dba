//! The usage ledger in SQLite.

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::SqliteDatabase;
use super::values::stored;
use crate::models::ids::StreamId;
use crate::services::billing::{UsageEvent, UsageLedger};
use crate::utils::database::DatabaseError;

#[async_trait]
impl UsageLedger for SqliteDatabase {
    async fn record(&self, event: UsageEvent) -> Result<(), DatabaseError> {
        self.writer
            .write(move |connection| Box::pin(async move { Ok(insert(connection, &event).await?) }))
            .await
    }
}

/// Enters an event once, however often it is brought.
pub(super) async fn insert(connection: &mut SqliteConnection, event: &UsageEvent) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO usage_events
             (id, user_id, request_id, conversation_id, message_id, model, status, streamed, prompt_tokens,
              completion_tokens, cached_tokens, reasoning_tokens, estimated, cost, latency_ms, first_token_ms, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(event.id)
    .bind(event.user_id)
    .bind(&*event.request_id)
    .bind(event.conversation_id)
    .bind(event.message_id)
    .bind(&*event.model)
    .bind(event.status.as_str())
    .bind(event.streamed)
    .bind(stored(event.usage.prompt_tokens))
    .bind(stored(event.usage.completion_tokens))
    .bind(event.usage.cached_tokens.map(stored))
    .bind(event.usage.reasoning_tokens.map(stored))
    .bind(event.usage.estimated)
    .bind(event.usage.cost)
    .bind(event.latency_ms.map(stored))
    .bind(event.first_token_ms.map(stored))
    .bind(event.created_at.timestamp_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes an event back.
pub(super) async fn remove(connection: &mut SqliteConnection, id: StreamId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM usage_events WHERE id = ?1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
