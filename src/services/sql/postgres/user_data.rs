//! What PostgreSQL keeps of a user.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::PostgresRows;
use super::values::millis;
use crate::models::balance::BalanceEntry;
use crate::models::ids::{ConversationId, StreamId, UserId};
use crate::models::privacy::{ExportedUsage, ExportedUses};
use crate::services::privacy::UsagePlace;
use crate::services::sql::records::{NumberedEntryRecord, PlaceRecord, UsageRecord, UsesRecord};
use crate::services::sql::rows::{RowsResult, UserDataRows};
use crate::services::sql::values::{days_since_1970, earliest, stored};

const USES: &str = "SELECT day, feature, uses FROM feature_uses
         WHERE user_id = $1 AND (day, feature) > ($2, $3) ORDER BY day, feature LIMIT $4";

const ENTRIES: &str = "SELECT number, id, kind, amount, balance_after, message_id, model, created_at
         FROM balance_entries WHERE user_id = $1 AND number > $2 ORDER BY number LIMIT $3";

const USAGE: &str = "SELECT id, attempt, request_id, conversation_id, message_id, model, status, error, streamed, prompt_tokens,
             completion_tokens, cached_tokens, reasoning_tokens, estimated, cost, latency_ms, first_token_ms, created_at
         FROM usage_events WHERE user_id = $1 AND (created_at, id, attempt) > ($2, $3, $4)
         ORDER BY created_at, id, attempt LIMIT $5";

const CONVERSATIONS: &str = "SELECT created_at, id FROM conversations
         WHERE user_id = $1 AND (created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4";

/// Open reservations are few, and all of them are looked at.
const OPEN: &str = "SELECT id FROM reservations WHERE user_id = $1";

#[async_trait]
impl UserDataRows for PostgresRows {
    async fn entries_after(
        &mut self,
        user: UserId,
        after: i64,
        limit: u32,
    ) -> RowsResult<Vec<(i64, BalanceEntry)>> {
        let records: Vec<NumberedEntryRecord> = sqlx::query_as(ENTRIES)
            .bind(user)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        records
            .into_iter()
            .map(NumberedEntryRecord::into_numbered)
            .collect()
    }

    async fn usage_after(
        &mut self,
        user: UserId,
        after: Option<UsagePlace>,
        limit: u32,
    ) -> RowsResult<Vec<ExportedUsage>> {
        let (created_at, id, attempt) = after.unwrap_or((earliest(), StreamId(Uuid::nil()), 0));
        let records: Vec<UsageRecord> = sqlx::query_as(USAGE)
            .bind(user)
            .bind(millis(created_at))
            .bind(id)
            .bind(stored(attempt))
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        Ok(records.into_iter().map(ExportedUsage::from).collect())
    }

    async fn uses_after(
        &mut self,
        user: UserId,
        after: Option<(NaiveDate, &str)>,
        limit: u32,
    ) -> RowsResult<Vec<ExportedUses>> {
        let (day, feature) = after.map_or((-1, ""), |(day, feature)| (days_since_1970(day), feature));
        let records: Vec<UsesRecord> = sqlx::query_as(USES)
            .bind(user)
            .bind(day)
            .bind(feature)
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        records.into_iter().map(UsesRecord::into_uses).collect()
    }

    async fn conversations_after(
        &mut self,
        user: UserId,
        after: Option<(DateTime<Utc>, ConversationId)>,
        limit: u32,
    ) -> RowsResult<Vec<(DateTime<Utc>, ConversationId)>> {
        let (created_at, id) = after.unwrap_or((earliest(), ConversationId(Uuid::nil())));
        let records: Vec<PlaceRecord> = sqlx::query_as(CONVERSATIONS)
            .bind(user)
            .bind(millis(created_at))
            .bind(id)
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        Ok(records.into_iter().map(Into::into).collect())
    }

    async fn open_answers(&mut self, user: UserId) -> RowsResult<Vec<StreamId>> {
        let open = sqlx::query_scalar(OPEN).bind(user);
        Ok(open.fetch_all(self.connection()).await?)
    }
}
