//! How an answer ends.

use std::borrow::Cow;

use super::accounts::settle;
use super::create::search_title;
use super::{Environment, cut};
use crate::models::message::MessageStatus;
use crate::models::money::Money;
use crate::services::billing::UsageEvent;
use crate::services::conversations::{AnswerOutcome, FinishedAnswer, StoreError, title_from_answer};
use crate::services::sql::rows::{ClaimState, ConversationRow, Rows};

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
    let claim = rows.claim(answer.stream_id).await?;
    let taken_over = claim.is_some_and(|claim| claim.taken_over);
    let answer = &*priced(rows, answer).await?;
    if let Some(mut conversation) = conversation {
        let changed = match answer.outcome {
            AnswerOutcome::Withdrawn => {
                withdraw(rows, environment, &mut conversation, answer, taken_over).await?
            }
            AnswerOutcome::Stored(status) if taken_over => {
                replace(rows, &mut conversation, answer, status).await?
            }
            AnswerOutcome::Stored(status) => fill(rows, &mut conversation, answer, status).await?,
        };
        if changed {
            rows.save_conversation(&conversation).await?;
        }
    }
    if claim.is_some_and(|claim| claim.taken_over || claim.status == MessageStatus::Streaming) {
        let end = ClaimState {
            status: status(answer),
            taken_over: false,
        };
        let now = environment.clock.now();
        rows.end_claim(answer.stream_id, end, answer.error.as_deref(), now)
            .await?;
    }
    Ok(settle(rows, environment, &answer.usage_event()).await?)
}

/// Writes what is known of an answer that nobody produces any more. See
/// [`ConversationStore::close_abandoned`](crate::services::conversations::ConversationStore).
pub async fn close_abandoned(
    rows: &mut dyn Rows,
    environment: &Environment,
    answer: &FinishedAnswer,
) -> Result<bool, StoreError> {
    // A conversation that was deleted took its claims with it.
    let Some(mut conversation) = rows
        .lock_conversation(answer.user_id, answer.conversation_id)
        .await?
    else {
        return Ok(false);
    };
    let claim = rows.claim(answer.stream_id).await?;
    if claim.is_none_or(|claim| claim.status != MessageStatus::Streaming) {
        return Ok(false);
    }
    let end = ClaimState {
        status: status(answer),
        taken_over: true,
    };
    let answer = &priced(rows, answer).await?;
    if fill(rows, &mut conversation, answer, end.status).await? {
        rows.save_conversation(&conversation).await?;
    }
    let now = environment.clock.now();
    rows.end_claim(answer.stream_id, end, answer.error.as_deref(), now)
        .await?;
    let event = UsageEvent {
        provisional: true,
        ..answer.usage_event()
    };
    settle(rows, environment, &event).await?;
    Ok(true)
}

/// The answer with what it costs at the prices that it was begun at, if nobody has said that: its model may have left the
/// catalog since, and whoever closes it for another may not have read one yet.
async fn priced<'a>(
    rows: &mut dyn Rows,
    answer: &'a FinishedAnswer,
) -> Result<Cow<'a, FinishedAnswer>, StoreError> {
    if answer.usage.cost.is_some() {
        return Ok(Cow::Borrowed(answer));
    }
    let held = rows.reservation(answer.stream_id).await?;
    let Some(cost) = held.and_then(|held| answer.usage.cost_at(&held.prices)) else {
        return Ok(Cow::Borrowed(answer));
    };
    let mut priced = answer.clone();
    priced.usage.cost = Some(cost);
    Ok(Cow::Owned(priced))
}

const fn status(answer: &FinishedAnswer) -> MessageStatus {
    match answer.outcome {
        AnswerOutcome::Stored(status) => status,
        AnswerOutcome::Withdrawn => MessageStatus::Failed,
    }
}

async fn fill(
    rows: &mut dyn Rows,
    conversation: &mut ConversationRow,
    answer: &FinishedAnswer,
    status: MessageStatus,
) -> Result<bool, StoreError> {
    let filled = rows.fill_place(answer, MessageStatus::Streaming, status).await?;
    if filled {
        add_up(conversation, answer);
    }
    Ok(filled)
}

/// Writes over what another instance knew of the answer.
async fn replace(
    rows: &mut dyn Rows,
    conversation: &mut ConversationRow,
    answer: &FinishedAnswer,
    status: MessageStatus,
) -> Result<bool, StoreError> {
    let before = rows.message_rows(&[answer.message_id]).await?.pop();
    let filled = rows
        .fill_place(answer, MessageStatus::Interrupted, status)
        .await?;
    if filled {
        if let Some(usage) = before.and_then(|before| before.usage) {
            let shown = &mut conversation.shown;
            let cost = usage.cost_usd.unwrap_or_default();
            shown.total_tokens = shown.total_tokens.saturating_sub(usage.total_tokens);
            shown.total_cost = Money::from_nano(shown.total_cost.nano().saturating_sub(cost.nano()));
        }
        add_up(conversation, answer);
    }
    Ok(filled)
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

/// Removes the empty place; the branch ends at the user's message again. What is filled already stays, unless it was filled
/// for want of this, and nobody has gone on from it.
async fn withdraw(
    rows: &mut dyn Rows,
    environment: &Environment,
    conversation: &mut ConversationRow,
    answer: &FinishedAnswer,
    taken_over: bool,
) -> Result<bool, StoreError> {
    let place = rows.node(conversation.shown.id, answer.message_id).await?;
    let is_empty = |status| match status {
        MessageStatus::Streaming => true,
        MessageStatus::Interrupted => taken_over,
        _ => false,
    };
    let Some(place) = place.filter(|place| is_empty(place.status)) else {
        return Ok(false);
    };
    if rows.subtree(place.id).await?.len() > 1 {
        return Ok(false);
    }
    let now = environment.clock.now();
    cut(rows, conversation, &place, &[place.id], now).await?;
    conversation.shown.updated_at = now;
    Ok(true)
}
