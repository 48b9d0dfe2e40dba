//! Sums of usage in SQLite.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::SqliteConnection;

use super::SqliteDatabase;
use super::values::{count, millis, stored, to_json};
use crate::models::ids::UserId;
use crate::services::analytics::{FeatureCount, Figures, Segment, Step, TimedFigures, UsageSums};
use crate::services::sql::records::{ModelSumsRecord, StoredTime, TimedSumsRecord};
use crate::services::sql::values::{days_since_1970, next_utc_day};
use crate::utils::database::DatabaseError;

/// What the sums of all models together stand under.
const ALL_MODELS: &str = "";

statements! {
    FIRST_USE = "SELECT starts_at FROM usage_buckets
         WHERE user_id = ?1 AND minutes = 15 AND model = '' AND requests > 0 ORDER BY starts_at LIMIT 1";

    OVER_TIME = "WITH span (from_ms, until_ms, offset_ms) AS MATERIALIZED
             (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3))
         SELECT (b.starts_at + span.offset_ms) / ?4 * ?4 AS begins, span.offset_ms,
             sum(b.requests) AS requests, sum(b.errors) AS errors, sum(b.streamed) AS streamed,
             sum(b.prompt_tokens) AS prompt_tokens, sum(b.completion_tokens) AS completion_tokens,
             sum(b.cached_tokens) AS cached_tokens, sum(b.reasoning_tokens) AS reasoning_tokens,
             sum(b.cost) AS cost, sum(b.latency_sum) AS latency_sum, sum(b.latency_count) AS latency_count,
             sum(b.first_token_sum) AS first_token_sum, sum(b.first_token_count) AS first_token_count
         FROM span CROSS JOIN usage_buckets b
             ON b.user_id = ?1 AND b.minutes = 15 AND b.model = ?2
             AND b.starts_at >= span.from_ms AND b.starts_at < span.until_ms
         GROUP BY begins, span.offset_ms";

    /// Whole days, and the quarters before the first of them.
    BY_MODEL = "WITH known (model) AS MATERIALIZED
             (SELECT DISTINCT model FROM usage_buckets WHERE user_id = ?1 AND minutes = 1440)
         SELECT part.model,
             sum(part.requests) AS requests, sum(part.errors) AS errors, sum(part.streamed) AS streamed,
             sum(part.prompt_tokens) AS prompt_tokens, sum(part.completion_tokens) AS completion_tokens,
             sum(part.cached_tokens) AS cached_tokens, sum(part.reasoning_tokens) AS reasoning_tokens,
             sum(part.cost) AS cost, sum(part.latency_sum) AS latency_sum, sum(part.latency_count) AS latency_count,
             sum(part.first_token_sum) AS first_token_sum, sum(part.first_token_count) AS first_token_count
         FROM (SELECT * FROM usage_buckets WHERE user_id = ?1 AND minutes = 1440 AND starts_at >= ?3
               UNION ALL
               SELECT q.* FROM known CROSS JOIN usage_buckets q
                   ON q.user_id = ?1 AND q.minutes = 15 AND q.model = known.model
                   AND q.starts_at >= ?2 AND q.starts_at < ?3) part
         GROUP BY part.model HAVING sum(part.requests) > 0";

    BY_HOUR_OF_DAY = "WITH span (from_ms, until_ms, offset_ms) AS MATERIALIZED
             (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2))
         SELECT (b.starts_at + span.offset_ms) / 3600000 % 24 AS hour, sum(b.requests) AS requests
         FROM span CROSS JOIN usage_buckets b
             ON b.user_id = ?1 AND b.minutes = 15 AND b.model = ''
             AND b.starts_at >= span.from_ms AND b.starts_at < span.until_ms
         GROUP BY hour HAVING sum(b.requests) > 0";

    DAYS_WITH_ANSWERS = "WITH span (from_ms, until_ms, offset_ms) AS MATERIALIZED
             (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2))
         SELECT DISTINCT (b.starts_at + span.offset_ms) / 86400000 * 86400000 AS day
         FROM span CROSS JOIN usage_buckets b
             ON b.user_id = ?1 AND b.minutes = 15 AND b.model = ''
             AND b.starts_at >= span.from_ms AND b.starts_at < span.until_ms
         WHERE b.requests > b.errors";

    FEATURES = "SELECT feature, sum(uses) FROM feature_uses WHERE user_id = ?1 AND day >= ?2 GROUP BY feature";

    /// Of whoever was erased meanwhile nothing is counted.
    ADD_FEATURE = "INSERT INTO feature_uses (user_id, feature, day, uses)
         SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM users WHERE id = ?1)
         ON CONFLICT (user_id, day, feature) DO UPDATE SET uses = uses + excluded.uses";
}

#[async_trait]
impl UsageSums for SqliteDatabase {
    async fn first_use(&self, user: UserId) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        let first: Option<StoredTime> = sqlx::query_scalar(FIRST_USE)
            .bind(user)
            .fetch_optional(&self.readers)
            .await?;
        Ok(first.map(Into::into))
    }

    async fn over_time(
        &self,
        user: UserId,
        model: Option<&str>,
        segments: &[Segment],
        step: Step,
    ) -> Result<Vec<TimedFigures>, DatabaseError> {
        let rows: Vec<TimedSumsRecord> = sqlx::query_as(OVER_TIME)
            .bind(user)
            .bind(model.unwrap_or(ALL_MODELS))
            .bind(spans(segments)?)
            .bind(step.length().num_milliseconds())
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn by_model(
        &self,
        user: UserId,
        since: DateTime<Utc>,
    ) -> Result<Vec<(String, Figures)>, DatabaseError> {
        let rows: Vec<ModelSumsRecord> = sqlx::query_as(BY_MODEL)
            .bind(user)
            .bind(millis(since))
            .bind(millis(next_utc_day(since)))
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn by_hour_of_day(
        &self,
        user: UserId,
        segments: &[Segment],
    ) -> Result<Vec<(u32, u64)>, DatabaseError> {
        let rows: Vec<(u32, i64)> = sqlx::query_as(BY_HOUR_OF_DAY)
            .bind(user)
            .bind(spans(segments)?)
            .fetch_all(&self.readers)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(hour, requests)| (hour, count(requests)))
            .collect())
    }

    async fn days_with_answers(
        &self,
        user: UserId,
        segments: &[Segment],
    ) -> Result<Vec<NaiveDate>, DatabaseError> {
        let rows: Vec<StoredTime> = sqlx::query_scalar(DAYS_WITH_ANSWERS)
            .bind(user)
            .bind(spans(segments)?)
            .fetch_all(&self.readers)
            .await?;
        Ok(rows
            .into_iter()
            .map(|day| DateTime::<Utc>::from(day).date_naive())
            .collect())
    }

    async fn features(&self, user: UserId, since: NaiveDate) -> Result<Vec<(String, u64)>, DatabaseError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(FEATURES)
            .bind(user)
            .bind(days_since_1970(since))
            .fetch_all(&self.readers)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(feature, uses)| (feature, count(uses)))
            .collect())
    }

    async fn add_features(&self, counts: Vec<FeatureCount>) -> Result<(), DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    for count in counts {
                        add_feature(connection, count).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

async fn add_feature(connection: &mut SqliteConnection, count: FeatureCount) -> Result<(), DatabaseError> {
    sqlx::query(ADD_FEATURE)
        .bind(count.user)
        .bind(count.feature.as_str())
        .bind(days_since_1970(count.day))
        .bind(stored(count.uses))
        .execute(connection)
        .await?;
    Ok(())
}

/// Segments as one bound value.
fn spans(segments: &[Segment]) -> Result<String, DatabaseError> {
    let spans: Vec<[i64; 3]> = segments
        .iter()
        .map(|part| {
            [
                millis(part.from),
                millis(part.until),
                part.offset.num_milliseconds(),
            ]
        })
        .collect();
    to_json(&spans)
}
