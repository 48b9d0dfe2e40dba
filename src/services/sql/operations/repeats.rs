//! Requests that are sent more than once, known by their idempotency keys.

use chrono::{DateTime, Utc};

use super::Environment;
use crate::models::ids::{StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::services::conversations::{IdempotencyKey, KEYS_KEPT, NewTurn, StoreError, TurnInput, TurnTarget};
use crate::services::sql::rows::{KeyedAnswer, Rows};

/// The stream that answers a request which came before. See
/// [`ConversationStore::answered_before`](crate::services::conversations::ConversationStore).
pub async fn answered_before(
    rows: &mut dyn Rows,
    user: UserId,
    key: &IdempotencyKey,
    now: DateTime<Utc>,
) -> Result<Option<StreamId>, StoreError> {
    let earlier = rows.keyed_answer(user, &key.key, now - KEYS_KEPT).await?;
    let earlier = earlier.map(|earlier| same_request(key, earlier)).transpose()?;
    Ok(earlier
        .filter(|earlier| unanswered(earlier).is_none())
        .map(|earlier| earlier.stream_id))
}

/// Takes the turn's key, if it has one. What is to be done is the turn itself, unless an earlier request with this key
/// stored its message and no model answered it: then that.
pub(super) async fn take_key(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    turn: &NewTurn,
) -> Result<Option<NewTurn>, StoreError> {
    let Some(key) = &turn.idempotency_key else {
        return Ok(None);
    };
    let now = environment.clock.now();
    let times = (now, now - KEYS_KEPT);
    if rows.take_key(user, key, turn.stream_id, times).await? {
        return Ok(None);
    }
    // Whoever took it has committed by now: this was waiting.
    let earlier = rows.keyed_answer(user, &key.key, now - KEYS_KEPT).await?;
    let earlier = same_request(key, earlier.ok_or(StoreError::IdempotencyConflict)?)?;
    let Some(target) = unanswered(&earlier) else {
        return Err(StoreError::Repeated {
            stream_id: earlier.stream_id,
        });
    };
    rows.move_key(user, &key.key, turn.stream_id).await?;
    Ok(Some(NewTurn {
        target,
        input: TurnInput::Again,
        ..turn.clone()
    }))
}

fn same_request(key: &IdempotencyKey, earlier: KeyedAnswer) -> Result<KeyedAnswer, StoreError> {
    match earlier.request_hash == key.request_hash {
        true => Ok(earlier),
        false => Err(StoreError::IdempotencyConflict),
    }
}

/// The message that waits for an answer, where the model gave none.
fn unanswered(earlier: &KeyedAnswer) -> Option<TurnTarget> {
    let (conversation_id, message_id) = earlier.question?;
    let refused = earlier.status == Some(MessageStatus::Failed) && !earlier.has_message;
    refused.then_some(TurnTarget::Regenerate {
        conversation_id,
        message_id,
        branch_name: None,
    })
}
