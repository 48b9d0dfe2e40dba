//! Erasing users in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::PostgresRows;
use super::values::millis;
use crate::models::ids::{ConversationId, StreamId, UserId};
use crate::models::price::TokenPrices;
use crate::services::privacy::{Tombstone, TombstoneId};
use crate::services::sql::records::{KeptRecord, PricesRecord, TakenRecord, TombstoneRecord};
use crate::services::sql::rows::{AnonymousUsage, ErasureRows, KeptEntry, RowsResult, TakenUsage};
use crate::services::sql::values::stored;

const TOMBSTONE: &str = "SELECT max_budget, spend, suspended, erased_at FROM tombstones WHERE user_hash = $1";

const LOCK: &str =
    "SELECT max_budget, spend, suspended, erased_at FROM tombstones WHERE user_hash = $1 FOR UPDATE";

const SAVE: &str =
    "INSERT INTO tombstones (user_hash, max_budget, spend, suspended, erased_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (user_hash) DO UPDATE SET max_budget = excluded.max_budget, spend = excluded.spend,
         suspended = excluded.suspended, erased_at = excluded.erased_at";

const LOCK_USER: &str = "SELECT id FROM users WHERE id = $1 FOR UPDATE";

const CONVERSATION: &str = "SELECT id FROM conversations WHERE user_id = $1 LIMIT 1";

/// All entries are looked at, of which there are few.
const KEPT: &str = "SELECT id, convert_to(payload::text, 'UTF8') AS payload FROM outbox
     WHERE coalesce(payload #>> '{answer,user_id}', payload #>> '{usage,user_id}') = $1 LIMIT $2";

const REMOVE_KEPT: &str = "DELETE FROM outbox WHERE id = $1";

const TAKE_USAGE: &str = "DELETE FROM usage_events WHERE (id, attempt) IN
         (SELECT id, attempt FROM usage_events WHERE user_id = $1 LIMIT $2)
     RETURNING model, status = 'retried' AS retried, prompt_tokens, completion_tokens, cost, created_at";

const ADD_USAGE: &str = "INSERT INTO anonymous_usage AS kept
         (day, model, requests, prompt_tokens, completion_tokens, cost)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (day, model) DO UPDATE
     SET requests = least(kept.requests, 9223372036854775807 - excluded.requests) + excluded.requests,
         prompt_tokens = least(kept.prompt_tokens, 9223372036854775807 - excluded.prompt_tokens)
             + excluded.prompt_tokens,
         completion_tokens = least(kept.completion_tokens, 9223372036854775807 - excluded.completion_tokens)
             + excluded.completion_tokens,
         cost = least(kept.cost, 9223372036854775807 - excluded.cost) + excluded.cost";

const REMOVE_ENTRIES: &str = "DELETE FROM balance_entries WHERE number IN
         (SELECT number FROM balance_entries WHERE user_id = $1 LIMIT $2)";

const REMOVE_SUMS: &str = "DELETE FROM usage_buckets WHERE (user_id, minutes, model, starts_at) IN
         (SELECT user_id, minutes, model, starts_at FROM usage_buckets WHERE user_id = $1 LIMIT $2)";

const REMOVE_USES: &str = "DELETE FROM feature_uses WHERE (user_id, day, feature) IN
         (SELECT user_id, day, feature FROM feature_uses WHERE user_id = $1 LIMIT $2)";

const REMOVE_KEYS: &str = "DELETE FROM idempotency_keys WHERE (user_id, key) IN
         (SELECT user_id, key FROM idempotency_keys WHERE user_id = $1 LIMIT $2)";

const REMOVE_API_KEYS: &str = "DELETE FROM api_keys WHERE user_id = $1";

/// All that is held back is looked at, of which there is little.
const NOTE_LATE: &str = "WITH removed AS (DELETE FROM reservations WHERE user_id = $1 RETURNING *)
     INSERT INTO late_answers (id, user_hash, input_price, output_price, cached_input_price, noted_at)
     SELECT id, $2, input_price, output_price, cached_input_price, $3 FROM removed";

const TAKE_LATE: &str = "DELETE FROM late_answers WHERE id = $1 AND user_hash = $2
     RETURNING input_price, output_price, cached_input_price";

const FORGET_LATE: &str = "DELETE FROM late_answers WHERE noted_at < $1";

const REMOVE_ACCOUNT: &str = "DELETE FROM accounts WHERE user_id = $1";

const REMOVE_USER: &str = "DELETE FROM users WHERE id = $1";

#[async_trait]
impl ErasureRows for PostgresRows {
    async fn tombstone(&mut self, id: &TombstoneId) -> RowsResult<Option<Tombstone>> {
        let found: Option<TombstoneRecord> = sqlx::query_as(TOMBSTONE)
            .bind(id.as_bytes())
            .fetch_optional(self.connection())
            .await?;
        Ok(found.map(Tombstone::from))
    }

    async fn lock_tombstone(&mut self, id: &TombstoneId) -> RowsResult<Option<Tombstone>> {
        let found: Option<TombstoneRecord> = sqlx::query_as(LOCK)
            .bind(id.as_bytes())
            .fetch_optional(self.connection())
            .await?;
        Ok(found.map(Tombstone::from))
    }

    async fn save_tombstone(&mut self, id: &TombstoneId, left: &Tombstone) -> RowsResult<()> {
        sqlx::query(SAVE)
            .bind(id.as_bytes())
            .bind(left.max_budget)
            .bind(left.spend)
            .bind(left.is_suspended)
            .bind(millis(left.erased_at))
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn lock_user_row(&mut self, user: UserId) -> RowsResult<bool> {
        let row: Option<(UserId,)> = sqlx::query_as(LOCK_USER)
            .bind(user)
            .fetch_optional(self.connection())
            .await?;
        Ok(row.is_some())
    }

    async fn any_conversation(&mut self, user: UserId) -> RowsResult<Option<ConversationId>> {
        let id = sqlx::query_scalar(CONVERSATION).bind(user);
        Ok(id.fetch_optional(self.connection()).await?)
    }

    async fn kept_entries(&mut self, user: UserId, limit: u32) -> RowsResult<Vec<KeptEntry>> {
        let kept: Vec<KeptRecord> = sqlx::query_as(KEPT)
            .bind(user.to_string())
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        Ok(kept.into_iter().map(KeptEntry::from).collect())
    }

    async fn remove_entry(&mut self, id: StreamId) -> RowsResult<()> {
        sqlx::query(REMOVE_KEPT)
            .bind(id)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn take_usage(&mut self, user: UserId, limit: u32) -> RowsResult<Vec<TakenUsage>> {
        let taken: Vec<TakenRecord> = sqlx::query_as(TAKE_USAGE)
            .bind(user)
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        Ok(taken.into_iter().map(TakenUsage::from).collect())
    }

    async fn add_anonymous_usage(
        &mut self,
        day: DateTime<Utc>,
        model: &str,
        usage: AnonymousUsage,
    ) -> RowsResult<()> {
        sqlx::query(ADD_USAGE)
            .bind(millis(day))
            .bind(model)
            .bind(stored(usage.requests))
            .bind(stored(usage.prompt_tokens))
            .bind(stored(usage.completion_tokens))
            .bind(usage.cost)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn remove_entries(&mut self, user: UserId, limit: u32) -> RowsResult<u64> {
        let removed = sqlx::query(REMOVE_ENTRIES).bind(user).bind(i64::from(limit));
        Ok(removed.execute(self.connection()).await?.rows_affected())
    }

    async fn remove_usage_sums(&mut self, user: UserId, limit: u32) -> RowsResult<u64> {
        let removed = sqlx::query(REMOVE_SUMS).bind(user).bind(i64::from(limit));
        Ok(removed.execute(self.connection()).await?.rows_affected())
    }

    async fn remove_feature_uses(&mut self, user: UserId, limit: u32) -> RowsResult<u64> {
        let removed = sqlx::query(REMOVE_USES).bind(user).bind(i64::from(limit));
        Ok(removed.execute(self.connection()).await?.rows_affected())
    }

    async fn remove_idempotency_keys(&mut self, user: UserId, limit: u32) -> RowsResult<u64> {
        let removed = sqlx::query(REMOVE_KEYS).bind(user).bind(i64::from(limit));
        Ok(removed.execute(self.connection()).await?.rows_affected())
    }

    async fn remove_api_keys(&mut self, user: UserId) -> RowsResult<u64> {
        let removed = sqlx::query(REMOVE_API_KEYS).bind(user);
        Ok(removed.execute(self.connection()).await?.rows_affected())
    }

    async fn make_late(&mut self, user: UserId, id: &TombstoneId, now: DateTime<Utc>) -> RowsResult<u64> {
        let noted = sqlx::query(NOTE_LATE)
            .bind(user)
            .bind(id.as_bytes())
            .bind(millis(now));
        Ok(noted.execute(self.connection()).await?.rows_affected())
    }

    async fn take_late(&mut self, stream: StreamId, id: &TombstoneId) -> RowsResult<Option<TokenPrices>> {
        let taken: Option<PricesRecord> = sqlx::query_as(TAKE_LATE)
            .bind(stream)
            .bind(id.as_bytes())
            .fetch_optional(self.connection())
            .await?;
        Ok(taken.map(TokenPrices::from))
    }

    async fn forget_late(&mut self, before: DateTime<Utc>) -> RowsResult<()> {
        let forgotten = sqlx::query(FORGET_LATE).bind(millis(before));
        forgotten.execute(self.connection()).await?;
        Ok(())
    }

    async fn remove_account(&mut self, user: UserId) -> RowsResult<()> {
        sqlx::query(REMOVE_ACCOUNT)
            .bind(user)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn remove_user(&mut self, user: UserId) -> RowsResult<()> {
        sqlx::query(REMOVE_USER)
            .bind(user)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
