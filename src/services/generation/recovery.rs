//! Closing what nobody goes on with.
//!
//! An answer that is still recorded as running has no one who could go on with it: what was checkpointed of it
//! becomes the message, with the status `interrupted`. Doing it twice, or at two places at once, is the same as once.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::core::{EngineCore, unavailable};
use super::records::{Checkpoint, UnfinishedGeneration};
use crate::services::conversations::{AnswerUsage, FinishedAnswer};
use crate::utils::database::DatabaseError;
use crate::utils::errors::ApiError;

/// Answers that are closed at once.
const AT_ONCE: usize = 8;

/// Closes answers, and tells how many that was. One that cannot be closed does not keep others from it.
///
/// # Errors
/// The first failure of the database.
pub(super) async fn close(
    engine: &EngineCore,
    unfinished: impl Iterator<Item = UnfinishedGeneration> + Send,
) -> Result<usize, ApiError> {
    let closing = unfinished.map(async |generation| close_one(engine, &generation).await);
    let mut closing = stream::iter(closing).buffer_unordered(AT_ONCE);
    let (mut closed, mut failure) = (0, None);
    while let Some(outcome) = closing.next().await {
        match outcome {
            Ok(has_closed) => closed += usize::from(has_closed),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(closed), Err)
}

async fn close_one(engine: &EngineCore, generation: &UnfinishedGeneration) -> Result<bool, ApiError> {
    let stream_id = generation.answer.stream_id;
    // One answer that cannot be read must not keep the service from starting.
    let checkpoints = match engine.records.checkpoints(stream_id, 1).await {
        Ok(checkpoints) => checkpoints,
        Err(error @ DatabaseError::Corrupt { .. }) => {
            tracing::error!(%error, %stream_id, "the checkpoints of an answer cannot be read, it is closed without them");
            Vec::new()
        }
        Err(error) => return Err(unavailable(error)),
    };
    let answer = Arc::new(with_text(generation, &checkpoints));
    match engine.store.close_abandoned(answer.clone()).await {
        Ok(true) => {}
        Ok(false) => return Ok(false),
        Err(error) if error.is_outage() => return Err(error.into()),
        Err(error) => {
            tracing::error!(%error, %stream_id, "an unfinished answer cannot be closed");
            return Ok(false);
        }
    }
    engine.metrics.generations_recovered.inc();
    tracing::warn!(
        %stream_id,
        message_id = %answer.message_id,
        bytes = answer.content.len(),
        "closed an answer that a stopped process left unfinished"
    );
    Ok(true)
}

fn with_text(generation: &UnfinishedGeneration, checkpoints: &[Checkpoint]) -> FinishedAnswer {
    let mut answer = generation.answer.clone();
    let mut reasoning = String::new();
    for checkpoint in checkpoints {
        answer.content.push_str(&checkpoint.content);
        reasoning.push_str(&checkpoint.reasoning);
    }
    answer.tool_calls = checkpoints
        .iter()
        .rev()
        .find_map(|checkpoint| checkpoint.tool_calls.clone())
        .and_then(|calls| serde_json::value::RawValue::from_string(calls).ok());
    let sent_bytes = usize::try_from(generation.sent_bytes).unwrap_or_default();
    answer.usage =
        AnswerUsage::reported_or_estimated(None, sent_bytes, answer.content.len() + reasoning.len());
    answer.reasoning = (!reasoning.is_empty()).then_some(reasoning);
    answer
}
