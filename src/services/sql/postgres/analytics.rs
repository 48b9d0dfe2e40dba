//! Sums of usage in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::PostgresDatabase;
use crate::models::ids::UserId;
use crate::services::analytics::{FeatureCount, Figures, Segment, Step, TimedFigures, UsageSums};
use crate::services::sql::records::{ModelSumsRecord, StoredTime, TimedSumsRecord};
use crate::services::sql::values::{count, days_since_1970, next_utc_day, stored};
use crate::utils::database::DatabaseError;

/// What the sums of all models together stand under.
const ALL_MODELS: &str = "";

const FIRST_USE: &str = "SELECT starts_at FROM usage_buckets
     WHERE user_id = $1 AND minutes = 15 AND model = '' AND requests > 0 ORDER BY starts_at LIMIT 1";

const OVER_TIME: &str = "WITH span AS MATERIALIZED
         (SELECT since, until, offset_ms, make_interval(secs => offset_ms / 1000) AS ahead
          FROM unnest($3::timestamptz[], $4::timestamptz[], $5::bigint[]) AS part (since, until, offset_ms))
     SELECT date_bin(make_interval(secs => $6), b.starts_at + span.ahead, timestamptz 'epoch') AS begins, span.offset_ms,
         sum(b.requests)::bigint AS requests, sum(b.errors)::bigint AS errors,
         sum(b.streamed)::bigint AS streamed, sum(b.prompt_tokens)::bigint AS prompt_tokens,
         sum(b.completion_tokens)::bigint AS completion_tokens, sum(b.cached_tokens)::bigint AS cached_tokens,
         sum(b.reasoning_tokens)::bigint AS reasoning_tokens, sum(b.cost)::bigint AS cost,
         sum(b.latency_sum)::bigint AS latency_sum, sum(b.latency_count)::bigint AS latency_count,
         sum(b.first_token_sum)::bigint AS first_token_sum,
         sum(b.first_token_count)::bigint AS first_token_count
     FROM span JOIN usage_buckets b
         ON b.user_id = $1 AND b.minutes = 15 AND b.model = $2
         AND b.starts_at >= span.since AND b.starts_at < span.until
     GROUP BY 1, 2";

/// Whole days, and the quarters before the first of them.
const BY_MODEL: &str = "SELECT b.model,
         sum(b.requests)::bigint AS requests, sum(b.errors)::bigint AS errors,
         sum(b.streamed)::bigint AS streamed, sum(b.prompt_tokens)::bigint AS prompt_tokens,
         sum(b.completion_tokens)::bigint AS completion_tokens, sum(b.cached_tokens)::bigint AS cached_tokens,
         sum(b.reasoning_tokens)::bigint AS reasoning_tokens, sum(b.cost)::bigint AS cost,
         sum(b.latency_sum)::bigint AS latency_sum, sum(b.latency_count)::bigint AS latency_count,
         sum(b.first_token_sum)::bigint AS first_token_sum,
         sum(b.first_token_count)::bigint AS first_token_count
     FROM (SELECT * FROM usage_buckets WHERE user_id = $1 AND minutes = 1440 AND starts_at >= $3
           UNION ALL
           SELECT q.* FROM (SELECT DISTINCT model FROM usage_buckets WHERE user_id = $1 AND minutes = 1440) known
           JOIN usage_buckets q ON q.user_id = $1 AND q.minutes = 15 AND q.model = known.model
               AND q.starts_at >= $2 AND q.starts_at < $3) b
     GROUP BY b.model HAVING sum(b.requests) > 0";

const BY_HOUR_OF_DAY: &str = "WITH span AS MATERIALIZED
         (SELECT since, until, make_interval(secs => offset_ms / 1000) AS ahead
          FROM unnest($2::timestamptz[], $3::timestamptz[], $4::bigint[]) AS part (since, until, offset_ms))
     SELECT extract(hour FROM (b.starts_at + span.ahead) AT TIME ZONE 'UTC')::bigint AS hour, sum(b.requests)::bigint
     FROM span JOIN usage_buckets b
         ON b.user_id = $1 AND b.minutes = 15 AND b.model = ''
         AND b.starts_at >= span.since AND b.starts_at < span.until
     GROUP BY 1 HAVING sum(b.requests) > 0";

const DAYS_WITH_ANSWERS: &str = "WITH span AS MATERIALIZED
         (SELECT since, until, make_interval(secs => offset_ms / 1000) AS ahead
          FROM unnest($2::timestamptz[], $3::timestamptz[], $4::bigint[]) AS part (since, until, offset_ms))
     SELECT DISTINCT date_bin(interval '24 hours', b.starts_at + span.ahead, timestamptz 'epoch') AS day
     FROM span JOIN usage_buckets b
         ON b.user_id = $1 AND b.minutes = 15 AND b.model = ''
         AND b.starts_at >= span.since AND b.starts_at < span.until
     WHERE b.requests > b.errors";

const FEATURES: &str =
    "SELECT feature, sum(uses)::bigint FROM feature_uses WHERE user_id = $1 AND day >= $2 GROUP BY feature";

/// In the order of the keys: instances that add at once wait for each other, and never in a circle. Of whoever is erased
/// meanwhile nothing is counted.
const ADD_FEATURES: &str = "INSERT INTO feature_uses (user_id, feature, day, uses)
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[]) AS added (user_id, feature, day, uses)
     WHERE EXISTS (SELECT FROM users WHERE users.id = added.user_id FOR KEY SHARE)
     ORDER BY user_id, day, feature
     ON CONFLICT (user_id, day, feature) DO UPDATE SET uses = feature_uses.uses + excluded.uses";

/// Segments as they are bound: where each begins and has ended, and how many milliseconds its clocks are ahead.
type Spans = (Vec<DateTime<Utc>>, Vec<DateTime<Utc>>, Vec<i64>);

#[async_trait]
impl UsageSums for PostgresDatabase {
    async fn first_use(&self, user: UserId) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        let first: Option<StoredTime> = sqlx::query_scalar(FIRST_USE)
            .bind(user)
            .fetch_optional(&self.pool)
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
        let (since, until, offsets) = spans(segments);
        let rows: Vec<TimedSumsRecord> = sqlx::query_as(OVER_TIME)
            .bind(user)
            .bind(model.unwrap_or(ALL_MODELS))
            .bind(since)
            .bind(until)
            .bind(offsets)
            .bind(step.length().as_seconds_f64())
            .fetch_all(&self.pool)
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
            .bind(since)
            .bind(next_utc_day(since))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn by_hour_of_day(
        &self,
        user: UserId,
        segments: &[Segment],
    ) -> Result<Vec<(u32, u64)>, DatabaseError> {
        let (since, until, offsets) = spans(segments);
        let rows: Vec<(i64, i64)> = sqlx::query_as(BY_HOUR_OF_DAY)
            .bind(user)
            .bind(since)
            .bind(until)
            .bind(offsets)
            .fetch_all(&self.pool)
            .await?;
        let shown = |(hour, requests)| (u32::try_from(hour).unwrap_or_default(), count(requests));
        Ok(rows.into_iter().map(shown).collect())
    }

    async fn days_with_answers(
        &self,
        user: UserId,
        segments: &[Segment],
    ) -> Result<Vec<NaiveDate>, DatabaseError> {
        let (since, until, offsets) = spans(segments);
        let rows: Vec<StoredTime> = sqlx::query_scalar(DAYS_WITH_ANSWERS)
            .bind(user)
            .bind(since)
            .bind(until)
            .bind(offsets)
            .fetch_all(&self.pool)
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
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(feature, uses)| (feature, count(uses)))
            .collect())
    }

    async fn add_features(&self, counts: Vec<FeatureCount>) -> Result<(), DatabaseError> {
        let users: Vec<UserId> = counts.iter().map(|count| count.user).collect();
        let features: Vec<&str> = counts.iter().map(|count| count.feature.as_str()).collect();
        let days: Vec<i64> = counts.iter().map(|count| days_since_1970(count.day)).collect();
        let uses: Vec<i64> = counts.iter().map(|count| stored(count.uses)).collect();
        sqlx::query(ADD_FEATURES)
            .bind(users)
            .bind(features)
            .bind(days)
            .bind(uses)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn spans(segments: &[Segment]) -> Spans {
    (
        segments.iter().map(|part| part.from).collect(),
        segments.iter().map(|part| part.until).collect(),
        segments
            .iter()
            .map(|part| part.offset.num_milliseconds())
            .collect(),
    )
}
