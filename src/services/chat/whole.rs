//! Whole answers of conversation chat: `chat.completion` objects with our ids.

use std::sync::Arc;

use bytes::Bytes;

use crate::models::chat::{ChatChoice, ChatCompletion, ChatMessage};
use crate::models::message::{Message, MessageContent, MessageUsage, Role};
use crate::services::conversations::StoreError;
use crate::services::generation::{Ending, Generation, TurnIds};
use crate::utils::errors::ApiError;
use crate::utils::json::RawObject;

/// Waits for the end and puts the answer together: the model's own object with our ids, and its cost.
pub(super) async fn answer(generation: &Arc<Generation>) -> Result<Bytes, ApiError> {
    let ending = generation.ended().await?;
    if let Some(error) = &ending.error {
        return Err(error.clone());
    }
    let turn = generation
        .turn()
        .ok_or_else(|| ApiError::from(StoreError::ConversationNotFound))?;
    let own = || serde_json::to_vec(&own_completion(generation, &ending, turn)).map(Into::into);
    let body = ending
        .completion
        .clone()
        .map_or_else(own, Ok)
        .map_err(ApiError::internal)?;
    let answer = with_ids(&body, &ending, turn).and_then(|answer| serde_json::to_vec(&answer));
    answer.map(Bytes::from).map_err(ApiError::internal)
}

fn with_ids(completion: &[u8], ending: &Ending, turn: &TurnIds) -> Result<RawObject, serde_json::Error> {
    let mut answer: RawObject = serde_json::from_slice(completion)?;
    let mut usage: RawObject = answer
        .get("usage")
        .and_then(|usage| serde_json::from_str(usage.get()).ok())
        .unwrap_or_default();
    usage.set_value("prompt_tokens", &ending.usage.prompt_tokens)?;
    usage.set_value("completion_tokens", &ending.usage.completion_tokens)?;
    usage.set_value("total_tokens", &ending.usage.total_tokens())?;
    usage.set_value("cost_usd", &ending.usage.cost)?;
    usage.set_value("estimated", &ending.usage.estimated)?;
    answer.set_value("usage", &usage)?;
    answer.set_value("conversation_id", &turn.conversation_id)?;
    answer.set_value("branch_id", &turn.branch_id)?;
    answer.set_value("user_message_id", &turn.user_message_id)?;
    answer.set_value("message_id", &turn.message_id)?;
    if ending.pending {
        answer.set_value("pending", &true)?;
    }
    Ok(answer)
}

/// What is answered where the model never did: the answer was cancelled.
fn own_completion(generation: &Generation, ending: &Ending, turn: &TurnIds) -> ChatCompletion {
    ChatCompletion {
        id: ending.completion_id.clone(),
        object: "chat.completion",
        created: generation.created.timestamp(),
        model: ending.model.to_string(),
        choices: vec![ChatChoice {
            index: 0,
            message: ChatMessage {
                role: Role::Assistant,
                content: Some(String::new()),
                reasoning_content: None,
                tool_calls: None,
            },
            finish_reason: ending.finish_reason.clone(),
        }],
        usage: MessageUsage {
            prompt_tokens: ending.usage.prompt_tokens,
            completion_tokens: ending.usage.completion_tokens,
            total_tokens: ending.usage.total_tokens(),
            cost_usd: ending.usage.cost,
            estimated: ending.usage.estimated,
        },
        conversation_id: turn.conversation_id,
        branch_id: turn.branch_id,
        user_message_id: turn.user_message_id,
        message_id: turn.message_id,
        pending: ending.pending,
    }
}

/// The same of an answer that is stored, and was produced somewhere else.
pub(super) fn stored(turn: &TurnIds, message: &Message) -> Result<Bytes, ApiError> {
    let content: MessageContent = serde_json::from_str(message.content.get()).map_err(ApiError::internal)?;
    let completion = ChatCompletion {
        id: format!("chatcmpl-{}", turn.stream_id),
        object: "chat.completion",
        created: message.created_at.timestamp(),
        model: message.model.clone().unwrap_or_default(),
        choices: vec![ChatChoice {
            index: 0,
            message: ChatMessage {
                role: Role::Assistant,
                content: Some(content.text()),
                reasoning_content: message.reasoning.clone(),
                tool_calls: message.tool_calls.clone(),
            },
            finish_reason: message.finish_reason.clone(),
        }],
        usage: message.usage.clone().unwrap_or_default(),
        conversation_id: turn.conversation_id,
        branch_id: turn.branch_id,
        user_message_id: turn.user_message_id,
        message_id: turn.message_id,
        pending: false,
    };
    let body = serde_json::to_vec(&completion).map_err(ApiError::internal)?;
    Ok(body.into())
}
