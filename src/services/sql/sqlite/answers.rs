//! Ending an answer in SQLite: everything here runs in one transaction of the writer.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::rows::stored;
use super::usage;
use crate::models::message::MessageStatus;
use crate::services::billing::UsageEvent;
use crate::services::conversations::{AnswerOutcome, FinishedAnswer, StoreError, title_from_answer};

pub(super) async fn save(
    connection: &mut SqliteConnection,
    answer: &FinishedAnswer,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    match answer.outcome {
        AnswerOutcome::Withdrawn => withdraw(connection, answer, now).await?,
        AnswerOutcome::Stored(status) => {
            if fill_place(connection, answer, status).await? {
                add_to_conversation(connection, answer).await?;
            }
        }
    }
    end_generation(connection, answer, now).await?;
    usage::insert(connection, &UsageEvent::of_answer(answer)).await?;
    Ok(())
}

/// Writes the answer into its place; false if there is no such place any more, or it is filled already.
async fn fill_place(
    connection: &mut SqliteConnection,
    answer: &FinishedAnswer,
    status: MessageStatus,
) -> sqlx::Result<bool> {
    let usage = &answer.usage;
    let done = sqlx::query(
        "UPDATE messages
         SET content = ?2, model = ?3, status = ?4, finish_reason = ?5, prompt_tokens = ?6, completion_tokens = ?7,
             total_tokens = ?8, usage_estimated = ?9, cost = ?10, latency_ms = ?11, first_token_ms = ?12,
             tool_calls = ?13, reasoning = ?14, updated_at = ?15
         WHERE id = ?1 AND status = 'streaming'",
    )
    .bind(answer.message_id)
    .bind(&answer.content)
    .bind(&*answer.model)
    .bind(status.as_str())
    .bind(answer.finish_reason.as_deref())
    .bind(stored(usage.prompt_tokens))
    .bind(stored(usage.completion_tokens))
    .bind(stored(usage.total_tokens()))
    .bind(usage.estimated)
    .bind(usage.cost)
    .bind(answer.latency_ms.map(stored))
    .bind(answer.first_token_ms.map(stored))
    .bind(answer.tool_calls.as_ref().map(|calls| calls.get()))
    .bind(answer.reasoning.as_deref())
    .bind(answer.ended_at.timestamp_millis())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

async fn add_to_conversation(connection: &mut SqliteConnection, answer: &FinishedAnswer) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE conversations
         SET title = coalesce(title, ?2), total_tokens = total_tokens + ?3, total_cost = total_cost + ?4,
             updated_at = ?5, last_message_at = ?5
         WHERE id = ?1",
    )
    .bind(answer.conversation_id)
    .bind(title_from_answer(&answer.content))
    .bind(stored(answer.usage.total_tokens()))
    .bind(answer.usage.cost.unwrap_or_default())
    .bind(answer.ended_at.timestamp_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the empty place; the branch ends at the user's message again. What is filled already stays.
async fn withdraw(
    connection: &mut SqliteConnection,
    answer: &FinishedAnswer,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let empty: Option<(i64,)> =
        sqlx::query_as("SELECT 1 FROM messages WHERE id = ?1 AND status = 'streaming'")
            .bind(answer.message_id)
            .fetch_optional(&mut *connection)
            .await?;
    if empty.is_none() {
        return Ok(());
    }
    sqlx::query("UPDATE branches SET head_message_id = ?2, updated_at = ?3 WHERE head_message_id = ?1")
        .bind(answer.message_id)
        .bind(answer.user_message_id)
        .bind(now.timestamp_millis())
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM messages WHERE id = ?1")
        .bind(answer.message_id)
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE conversations SET message_count = message_count - 1, updated_at = ?2 WHERE id = ?1")
        .bind(answer.conversation_id)
        .bind(now.timestamp_millis())
        .execute(connection)
        .await?;
    Ok(())
}

async fn end_generation(
    connection: &mut SqliteConnection,
    answer: &FinishedAnswer,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let status = match answer.outcome {
        AnswerOutcome::Stored(status) => status,
        AnswerOutcome::Withdrawn => MessageStatus::Failed,
    };
    sqlx::query("UPDATE generations SET status = ?2, ended_at = ?3 WHERE id = ?1 AND status = 'streaming'")
        .bind(answer.stream_id)
        .bind(status.as_str())
        .bind(now.timestamp_millis())
        .execute(&mut *connection)
        .await?;
    // What was interrupted can still be replayed from its checkpoints, by whoever comes back for it.
    if status != MessageStatus::Interrupted {
        sqlx::query("DELETE FROM checkpoints WHERE generation_id = ?1")
            .bind(answer.stream_id)
            .execute(connection)
            .await?;
    }
    Ok(())
}
