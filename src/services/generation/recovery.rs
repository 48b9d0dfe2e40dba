//! Closing what nobody goes on with.
//!
//! An answer that is still recorded as running has no one who could go on with it: what was checkpointed of it
//! becomes the message, with the status `interrupted`. Doing it twice, or at two places at once, is the same as once.

use std::collections::HashSet;
use std::sync::Arc;

use super::core::{EngineCore, unavailable};
use super::records::{Checkpoint, UnfinishedGeneration};
use crate::models::ids::StreamId;
use crate::services::conversations::{AnswerUsage, FinishedAnswer};
use crate::utils::database::DatabaseError;
use crate::utils::errors::ApiError;

/// Closes answers, but for those that wait somewhere else.
pub(super) async fn close(
    engine: &EngineCore,
    unfinished: &[UnfinishedGeneration],
    waiting: &HashSet<StreamId>,
) -> Result<(), ApiError> {
    for generation in unfinished
        .iter()
        .filter(|generation| !waiting.contains(&generation.answer.stream_id))
    {
        let stream_id = generation.answer.stream_id;
        // One answer that cannot be read must not keep the service from starting, nor others from being closed.
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
            Ok(false) => continue,
            Err(error) if error.is_outage() => return Err(error.into()),
            Err(error) => {
                tracing::error!(%error, %stream_id, "an unfinished answer cannot be closed");
                continue;
            }
        }
        engine.metrics.generations_recovered.inc();
        tracing::warn!(
            %stream_id,
            message_id = %answer.message_id,
            bytes = answer.content.len(),
            "closed an answer that a stopped process left unfinished"
        );
    }
    Ok(())
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
