//! What a user's conversations amount to.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::super::values::millis;
use crate::models::conversation::ConversationStats;
use crate::models::ids::UserId;
use crate::services::sql::records::TotalsRecord;
use crate::services::sql::rows::RowsResult;

statements! {
    TOTALS = "SELECT count(*) AS conversations, coalesce(sum(status = 'active'), 0) AS active,
         coalesce(sum(branch_count), 0) AS branches, coalesce(sum(message_count), 0) AS messages,
         coalesce(sum(total_tokens >> 32), 0) AS tokens_high,
         coalesce(sum(total_tokens & 4294967295), 0) AS tokens_low,
         coalesce(sum(total_cost >> 32), 0) AS cost_high,
         coalesce(sum(total_cost & 4294967295), 0) AS cost_low
     FROM conversations WHERE user_id = ?1 AND created_at >= ?2";
    MODELS = "SELECT a.model, sum(a.answers) AS answers
     FROM conversations c CROSS JOIN answer_counts a ON a.conversation_id = c.id
     WHERE c.user_id = ?1 AND c.created_at >= ?2 AND a.answers > 0
     GROUP BY a.model ORDER BY sum(a.answers) DESC, a.model";
    MONTHS = "SELECT strftime('%Y-%m', created_at / 1000, 'unixepoch') AS month, count(*)
     FROM conversations WHERE user_id = ?1 AND created_at >= ?2
     GROUP BY month ORDER BY month";
}

/// What the user's conversations made since then amount to.
pub(super) async fn stats(
    connection: &mut SqliteConnection,
    user: UserId,
    since: Option<DateTime<Utc>>,
) -> RowsResult<ConversationStats> {
    let since = since.map_or(i64::MIN, millis);
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
