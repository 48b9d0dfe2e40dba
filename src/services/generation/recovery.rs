//! Closing, at start, what a stopped process left unfinished.
//!
//! An answer that is still recorded as running has no one who could go on with it: what was checkpointed of it
//! becomes the message, with the status `interrupted`. Doing it twice is the same as once.

use super::core::{EngineCore, unavailable};
use super::records::{Checkpoint, UnfinishedGeneration};
use crate::services::conversations::{AnswerUsage, FinishedAnswer};
use crate::utils::errors::ApiError;

pub(super) async fn recover(engine: &EngineCore) -> Result<usize, ApiError> {
    let unfinished = engine.records.unfinished().await.map_err(unavailable)?;
    for generation in &unfinished {
        let checkpoints = engine
            .records
            .checkpoints(generation.answer.stream_id)
            .await
            .map_err(unavailable)?;
        let answer = with_text(generation, &checkpoints);
        engine.store.save_answer(&answer).await?;
        engine.metrics.generations_recovered.inc();
        tracing::warn!(
            stream_id = %answer.stream_id,
            message_id = %answer.message_id,
            bytes = answer.content.len(),
            "closed an answer that a stopped process left unfinished"
        );
    }
    Ok(unfinished.len())
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
