//! How an answer ends.

use super::create::search_title;
use super::{Environment, cut};
use crate::models::message::MessageStatus;
use crate::models::money::Money;
use crate::services::billing::UsageEvent;
use crate::services::conversations::{AnswerOutcome, FinishedAnswer, StoreError, title_from_answer};
use crate::services::sql::rows::{ConversationRow, Rows};

/// Writes an answer into its place. See [`ConversationStore::save_answer`](crate::services::conversations::ConversationStore).
pub async fn save_answer(
    rows: &mut dyn Rows,
    environment: &Environment,
    answer: &FinishedAnswer,
) -> Result<(), StoreError> {
    // Without a conversation it was deleted meanwhile; what the answer used is entered all the same.
    let conversation = rows
        .lock_conversation(answer.user_id, answer.conversation_id)
        .await?;
    let status = match answer.outcome {
        AnswerOutcome::Stored(status) => status,
        AnswerOutcome::Withdrawn => MessageStatus::Failed,
    };
    if let Some(mut conversation) = conversation {
        let changed = match answer.outcome {
            AnswerOutcome::Withdrawn => withdraw(rows, environment, &mut conversation, answer).await?,
            AnswerOutcome::Stored(_) => rows.fill_place(answer, status).await?,
        };
        if changed {
            if matches!(answer.outcome, AnswerOutcome::Stored(_)) {
                add_up(&mut conversation, answer);
            }
            rows.save_conversation(&conversation).await?;
        }
    }
    rows.end_claim(answer.stream_id, status, environment.clock.now())
        .await?;
    rows.record_usage(&UsageEvent::of_answer(answer)).await?;
    Ok(())
}

fn add_up(conversation: &mut ConversationRow, answer: &FinishedAnswer) {
    let shown = &mut conversation.shown;
    if shown.title.is_none() {
        shown.title = title_from_answer(&answer.content);
        conversation.search_title = search_title(shown.title.as_deref());
    }
    let cost = answer.usage.cost.unwrap_or_default();
    shown.total_tokens = shown.total_tokens.saturating_add(answer.usage.total_tokens());
    shown.total_cost = Money::from_nano(shown.total_cost.nano().saturating_add(cost.nano()));
    // It may have ended long before it could be stored.
    shown.updated_at = shown.updated_at.max(answer.ended_at);
}

/// Removes the empty place; the branch ends at the user's message again. What is filled already stays.
async fn withdraw(
    rows: &mut dyn Rows,
    environment: &Environment,
    conversation: &mut ConversationRow,
    answer: &FinishedAnswer,
) -> Result<bool, StoreError> {
    let place = rows.node(conversation.shown.id, answer.message_id).await?;
    let Some(place) = place.filter(|place| place.status == MessageStatus::Streaming) else {
        return Ok(false);
    };
    let now = environment.clock.now();
    cut(rows, conversation, &place, &[place.id], now).await?;
    conversation.shown.updated_at = now;
    Ok(true)
}
