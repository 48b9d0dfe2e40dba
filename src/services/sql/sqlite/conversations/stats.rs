//! What a user's conversations amount to.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, SqliteConnection};

use super::super::values::{count, millis};
use crate::models::branch::ModelCount;
use crate::models::conversation::{ConversationStats, MonthCount};
use crate::models::ids::UserId;
use crate::models::money::Money;
use crate::services::sql::rows::RowsResult;

statements! {
    TOTALS = "SELECT count(*) AS conversations, coalesce(sum(status = 'active'), 0) AS active,
         coalesce(sum(branch_count), 0) AS branches, coalesce(sum(message_count), 0) AS messages,
         coalesce(sum(total_tokens), 0) AS total_tokens, coalesce(sum(total_cost), 0) AS total_cost
     FROM conversations WHERE user_id = ?1 AND created_at >= ?2";
    MODELS = "SELECT a.model, sum(a.answers) AS answers
     FROM conversations c CROSS JOIN answer_counts a ON a.conversation_id = c.id
     WHERE c.user_id = ?1 AND c.created_at >= ?2 AND a.answers > 0
     GROUP BY a.model ORDER BY sum(a.answers) DESC, a.model";
    MONTHS = "SELECT strftime('%Y-%m', created_at / 1000, 'unixepoch') AS month, count(*)
     FROM conversations WHERE user_id = ?1 AND created_at >= ?2
     GROUP BY month ORDER BY month";
}

#[derive(Debug, FromRow)]
struct Totals {
    conversations: i64,
    active: i64,
    branches: i64,
    messages: i64,
    total_tokens: i64,
    total_cost: Money,
}

/// What the user's conversations made since then amount to.
pub(super) async fn stats(
    connection: &mut SqliteConnection,
    user: UserId,
    since: Option<DateTime<Utc>>,
) -> RowsResult<ConversationStats> {
    let since = since.map_or(i64::MIN, millis);
    let totals: Totals = sqlx::query_as(TOTALS)
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
    Ok(ConversationStats {
        conversations: count(totals.conversations),
        active: count(totals.active),
        archived: count(totals.conversations - totals.active),
        branches: count(totals.branches),
        messages: count(totals.messages),
        total_tokens: count(totals.total_tokens),
        total_cost: totals.total_cost,
        models: models
            .into_iter()
            .map(|(model, answers)| ModelCount {
                model,
                count: count(answers),
            })
            .collect(),
        by_month: months
            .into_iter()
            .map(|(month, conversations)| MonthCount {
                month,
                conversations: count(conversations),
            })
            .collect(),
    })
}
