//! Accounts and the ledger in PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::PostgresRows;
use super::values::millis;
use crate::models::balance::BalanceEntry;
use crate::models::common::Page;
use crate::models::ids::{InstanceId, StreamId, UserId};
use crate::models::money::Money;
use crate::services::billing::{Account, NewEntry, Orphan, UsageEvent, UsageTotal};
use crate::services::sql::records::{
    AccountRecord, EnteredRecord, EntryRecord, HeldRecord, OrphanRecord, UsageTotalRecord,
};
use crate::services::sql::rows::{AccountRows, Entered, Held, ReservationRow, RowsResult};
use crate::services::sql::values::{count, stored};

/// What is held back for an answer that is neither recorded as running nor in the outbox.
macro_rules! orphans {
    ($condition:literal) => {
        concat!(
            "SELECT r.id, r.user_id, r.request_id, r.model, r.streamed, r.sent_bytes, r.created_at, r.amount,
             r.input_price, r.output_price, r.cached_input_price
             FROM reservations r
             WHERE NOT EXISTS (SELECT FROM generations g WHERE g.id = r.id AND g.status = 'streaming')
             AND NOT EXISTS (SELECT FROM outbox o WHERE o.id = r.id) AND ",
            $condition
        )
    };
}

const LOCK: &str =
    "SELECT max_budget, spend, reserved, suspended FROM accounts WHERE user_id = $1 FOR UPDATE";

const ACCOUNT: &str = "SELECT max_budget, spend, reserved, suspended FROM accounts WHERE user_id = $1";

const MAKE: &str = "INSERT INTO accounts (user_id, max_budget, spend, suspended, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $5)
     ON CONFLICT (user_id) DO NOTHING";

const SAVE: &str =
    "UPDATE accounts SET max_budget = $2, spend = $3, reserved = $4, suspended = $5, updated_at = $6
     WHERE user_id = $1";

const RESERVE: &str = "INSERT INTO reservations
         (id, user_id, instance_id, amount, input_price, output_price, cached_input_price, model, request_id, streamed,
          sent_bytes, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

const HELD: &str =
    "SELECT amount, input_price, output_price, cached_input_price FROM reservations WHERE id = $1";

const TAKE: &str = "DELETE FROM reservations WHERE id = $1
     RETURNING amount, input_price, output_price, cached_input_price";

const ENTRY: &str = "INSERT INTO balance_entries
         (id, user_id, kind, amount, balance_after, stream_id, message_id, model, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const ENTERED: &str = "SELECT provisional, cost, message_id, model FROM usage_events WHERE id = $1
     ORDER BY attempt DESC LIMIT 1";

const USAGE: &str = "INSERT INTO usage_events
         (id, attempt, user_id, request_id, conversation_id, message_id, model, status, streamed, prompt_tokens,
          completion_tokens, cached_tokens, reasoning_tokens, estimated, cost, latency_ms, first_token_ms, provisional,
          created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";

const ATTEMPT: &str = "INSERT INTO usage_events
         (id, attempt, user_id, request_id, conversation_id, message_id, model, status, error, streamed, prompt_tokens,
          completion_tokens, estimated, latency_ms, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, 'retried', $8, $9, 0, 0, false, $10, $11)";

const REMOVE: &str = "DELETE FROM usage_events WHERE id = $1";

const SPENT: &str =
    "SELECT coalesce(sum(CASE kind WHEN 'charge' THEN amount ELSE -amount END), 0)::bigint AS spent
     FROM balance_entries WHERE user_id = $1 AND created_at >= $2 AND kind IN ('charge', 'refund')";

const ENTRIES: &str = "SELECT id, kind, amount, balance_after, message_id, model, created_at
     FROM balance_entries WHERE user_id = $1 ORDER BY number DESC LIMIT $2 OFFSET $3";

const COUNT_ENTRIES: &str = "SELECT count(*) FROM balance_entries WHERE user_id = $1";

const ORPHANS_HERE: &str = orphans!(
    "r.instance_id = $1 AND r.created_at < $2 AND NOT (r.id = ANY ($3))
     ORDER BY r.created_at LIMIT $4"
);

const ORPHANS_OF_OTHERS: &str = orphans!(
    "r.instance_id <> $1
         AND NOT EXISTS (SELECT FROM instances i
             WHERE i.id = r.instance_id AND i.heard_at > now() - make_interval(secs => $2))
     ORDER BY r.created_at LIMIT $3"
);

const COUNT_RESERVATIONS: &str = "SELECT count(*) FROM reservations";

const USAGE_TOTALS: &str = "SELECT user_id, model, count(*) AS requests,
         coalesce(sum(prompt_tokens >> 32), 0)::bigint AS prompt_high, coalesce(sum(prompt_tokens & 4294967295), 0)::bigint AS prompt_low,
         coalesce(sum(completion_tokens >> 32), 0)::bigint AS completion_high, coalesce(sum(completion_tokens & 4294967295), 0)::bigint AS completion_low,
         coalesce(sum(cost >> 32), 0)::bigint AS cost_high, coalesce(sum(cost & 4294967295), 0)::bigint AS cost_low,
         count(*) FILTER (WHERE cost IS NULL AND prompt_tokens + completion_tokens > 0) AS unpriced
     FROM usage_events WHERE created_at >= $1 AND status <> 'retried'
     GROUP BY user_id, model ORDER BY user_id, model";

#[async_trait]
impl AccountRows for PostgresRows {
    async fn lock_account(&mut self, user: UserId) -> RowsResult<Option<Account>> {
        let locked: Option<AccountRecord> = sqlx::query_as(LOCK)
            .bind(user)
            .fetch_optional(self.connection())
            .await?;
        Ok(locked.map(Account::from))
    }

    async fn make_account(&mut self, user: UserId, account: &Account, now: DateTime<Utc>) -> RowsResult<()> {
        sqlx::query(MAKE)
            .bind(user)
            .bind(account.max_budget)
            .bind(account.spend)
            .bind(account.is_suspended)
            .bind(millis(now))
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn account(&mut self, user: UserId) -> RowsResult<Option<Account>> {
        let account: Option<AccountRecord> = sqlx::query_as(ACCOUNT)
            .bind(user)
            .fetch_optional(self.connection())
            .await?;
        Ok(account.map(Account::from))
    }

    async fn save_account(&mut self, user: UserId, account: &Account, now: DateTime<Utc>) -> RowsResult<()> {
        sqlx::query(SAVE)
            .bind(user)
            .bind(account.max_budget)
            .bind(account.spend)
            .bind(account.reserved)
            .bind(account.is_suspended)
            .bind(millis(now))
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn insert_reservation(&mut self, row: &ReservationRow) -> RowsResult<()> {
        sqlx::query(RESERVE)
            .bind(row.id)
            .bind(row.user_id)
            .bind(row.instance_id)
            .bind(row.amount)
            .bind(row.prices.input)
            .bind(row.prices.output)
            .bind(row.prices.cached_input)
            .bind(&*row.model)
            .bind(&*row.request_id)
            .bind(row.streamed)
            .bind(stored(row.sent_bytes))
            .bind(millis(row.created_at))
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn reservation(&mut self, id: StreamId) -> RowsResult<Option<Held>> {
        let held: Option<HeldRecord> = sqlx::query_as(HELD)
            .bind(id)
            .fetch_optional(self.connection())
            .await?;
        Ok(held.map(Held::from))
    }

    async fn take_reservation(&mut self, id: StreamId) -> RowsResult<Option<Held>> {
        let held: Option<HeldRecord> = sqlx::query_as(TAKE)
            .bind(id)
            .fetch_optional(self.connection())
            .await?;
        Ok(held.map(Held::from))
    }

    async fn insert_entry(&mut self, id: Uuid, entry: &NewEntry) -> RowsResult<()> {
        sqlx::query(ENTRY)
            .bind(id)
            .bind(entry.user_id)
            .bind(entry.kind.as_str())
            .bind(entry.amount)
            .bind(entry.balance_after)
            .bind(entry.stream_id)
            .bind(entry.message_id)
            .bind(entry.model.as_deref())
            .bind(millis(entry.created_at))
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn entered(&mut self, id: StreamId) -> RowsResult<Option<Entered>> {
        let entered: Option<EnteredRecord> = sqlx::query_as(ENTERED)
            .bind(id)
            .fetch_optional(self.connection())
            .await?;
        Ok(entered.map(Entered::from))
    }

    async fn insert_usage(&mut self, event: &UsageEvent) -> RowsResult<()> {
        let mut number: i64 = 1;
        for attempt in &event.attempts {
            sqlx::query(ATTEMPT)
                .bind(event.id)
                .bind(number)
                .bind(event.user_id)
                .bind(&*event.request_id)
                .bind(event.conversation_id)
                .bind(event.message_id)
                .bind(&*attempt.model)
                .bind(&*attempt.error)
                .bind(event.streamed)
                .bind(stored(attempt.latency_ms))
                .bind(millis(event.created_at))
                .execute(self.connection())
                .await?;
            number += 1;
        }
        let usage = &event.usage;
        sqlx::query(USAGE)
            .bind(event.id)
            .bind(number)
            .bind(event.user_id)
            .bind(&*event.request_id)
            .bind(event.conversation_id)
            .bind(event.message_id)
            .bind(&*event.model)
            .bind(event.status.as_str())
            .bind(event.streamed)
            .bind(stored(usage.prompt_tokens))
            .bind(stored(usage.completion_tokens))
            .bind(usage.cached_tokens.map(stored))
            .bind(usage.reasoning_tokens.map(stored))
            .bind(usage.estimated)
            .bind(usage.cost)
            .bind(event.latency_ms.map(stored))
            .bind(event.first_token_ms.map(stored))
            .bind(event.provisional)
            .bind(millis(event.created_at))
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn remove_usage(&mut self, id: StreamId) -> RowsResult<()> {
        sqlx::query(REMOVE).bind(id).execute(self.connection()).await?;
        Ok(())
    }

    async fn spent_since(&mut self, user: UserId, since: DateTime<Utc>) -> RowsResult<Money> {
        Ok(sqlx::query_scalar(SPENT)
            .bind(user)
            .bind(millis(since))
            .fetch_one(self.connection())
            .await?)
    }

    async fn entries(&mut self, user: UserId, page: Page) -> RowsResult<(Vec<BalanceEntry>, u64)> {
        let total: i64 = sqlx::query_scalar(COUNT_ENTRIES)
            .bind(user)
            .fetch_one(self.connection())
            .await?;
        let records: Vec<EntryRecord> = sqlx::query_as(ENTRIES)
            .bind(user)
            .bind(i64::from(page.limit))
            .bind(stored(page.offset()))
            .fetch_all(self.connection())
            .await?;
        let entries = records.into_iter().map(EntryRecord::into_entry);
        Ok((entries.collect::<Result<_, _>>()?, count(total)))
    }

    async fn orphans_here(
        &mut self,
        instance: InstanceId,
        before: DateTime<Utc>,
        known: &[StreamId],
        limit: u32,
    ) -> RowsResult<Vec<Orphan>> {
        let records: Vec<OrphanRecord> = sqlx::query_as(ORPHANS_HERE)
            .bind(instance)
            .bind(millis(before))
            .bind(known)
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        Ok(records.into_iter().map(Orphan::from).collect())
    }

    async fn orphans_of_others(
        &mut self,
        instance: InstanceId,
        silence: Duration,
        limit: u32,
    ) -> RowsResult<Vec<Orphan>> {
        let records: Vec<OrphanRecord> = sqlx::query_as(ORPHANS_OF_OTHERS)
            .bind(instance)
            .bind(silence.as_secs_f64())
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        Ok(records.into_iter().map(Orphan::from).collect())
    }

    async fn count_reservations(&mut self) -> RowsResult<u64> {
        let open: i64 = sqlx::query_scalar(COUNT_RESERVATIONS)
            .fetch_one(self.connection())
            .await?;
        Ok(count(open))
    }

    async fn usage_totals(&mut self, since: DateTime<Utc>) -> RowsResult<Vec<UsageTotal>> {
        let records: Vec<UsageTotalRecord> = sqlx::query_as(USAGE_TOTALS)
            .bind(millis(since))
            .fetch_all(self.connection())
            .await?;
        Ok(records.into_iter().map(UsageTotal::from).collect())
    }
}
