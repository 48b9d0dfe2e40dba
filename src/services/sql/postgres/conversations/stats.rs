//! What a user's conversations amount to.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::values::millis;
use crate::models::conversation::ConversationStats;
use crate::models::ids::UserId;
use crate::services::sql::records::TotalsRecord;
use crate::services::sql::rows::RowsResult;

const TOTALS: &str = "SELECT count(*) AS conversations, count(*) FILTER (WHERE status = 'active') AS active,
         coalesce(sum(branch_count), 0)::bigint AS branches, coalesce(sum(message_count), 0)::bigint AS messages,
         coalesce(sum(total_tokens >> 32), 0)::bigint AS tokens_high,
         coalesce(sum(total_tokens & 4294967295), 0)::bigint AS tokens_low,
         coalesce(sum(total_cost >> 32), 0)::bigint AS cost_high,
         coalesce(sum(total_cost & 4294967295), 0)::bigint AS cost_low
     FROM conversations WHERE user_id = $1 AND ($2::timestamptz IS NULL OR created_at >= $2)";

const MODELS: &str = r#"SELECT a.model, sum(a.answers)::bigint AS answers
     FROM conversations c JOIN answer_counts a ON a.conversation_id = c.id
     WHERE c.user_id = $1 AND ($2::timestamptz IS NULL OR c.created_at >= $2) AND a.answers > 0
     GROUP BY a.model ORDER BY answers DESC, a.model COLLATE "C""#;

const MONTHS: &str = "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, count(*)
     FROM conversations WHERE user_id = $1 AND ($2::timestamptz IS NULL OR created_at >= $2)
     GROUP BY month ORDER BY month";

/// What the user's conversations made since then amount to.
pub(super) async fn stats(
    connection: &mut PgConnection,
    user: UserId,
    since: Option<DateTime<Utc>>,
) -> RowsResult<ConversationStats> {
    let since = since.map(millis);
    let totals: TotalsRecord = sqlx::query_as(TOTALS)
        .bind(user)
        .bind(since)
        .fetch_one(&mut *connection)
        .await?;
    let models: Vec<(String, i64)> = sqlx::query_as(MODELS)
        .bind(user)
        .bind(since)
        .fetch_all(&mut *connection)
        .await?;
    let months: Vec<(String, i64)> = sqlx::query_as(MONTHS)
        .bind(user)
        .bind(since)
        .fetch_all(connection)
        .await?;
    Ok(totals.into_stats(models, months))
}
