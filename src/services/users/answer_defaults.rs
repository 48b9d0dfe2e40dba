//! What a user's preferences say where a chat request and its conversation are silent.

use super::{User, UserLimits};
use crate::models::chat::ConversationChatRequest;

/// What answers are like unless a request, or its conversation, says otherwise. What is `None` the settings decide.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnswerDefaults {
    /// The model that answers.
    pub model: Option<String>,
    /// What it is told first.
    pub system_message: Option<String>,
    /// How many of the newest messages it is sent.
    pub context_messages: Option<u32>,
    temperature: Option<f64>,
    max_tokens: Option<u64>,
    streaming: Option<bool>,
}

impl AnswerDefaults {
    /// What this user prefers. The limits may have been lowered since.
    pub(super) fn of(user: User, limits: &UserLimits) -> Self {
        Self {
            model: user.default_model,
            system_message: user.custom_system_message,
            context_messages: user.max_context_messages,
            temperature: user
                .default_temperature
                .map(|given| given.min(limits.temperature)),
            max_tokens: user
                .default_max_tokens
                .map(|given| given.min(u64::from(limits.output_tokens))),
            streaming: user.enable_streaming,
        }
    }

    /// Gives a request what it does not say, of that which conversations say nothing of.
    pub fn complete(&self, request: &mut ConversationChatRequest) {
        request.stream = request.stream.or(self.streaming);
        request.temperature = request.temperature.or(self.temperature);
        request.max_tokens = request.max_tokens.or(self.max_tokens);
    }

    /// Keeps the newest of these, as many as the user wants the model to be sent.
    pub fn shorten<T>(&self, mut context: Vec<T>) -> Vec<T> {
        if let Some(most) = self.context_messages {
            let surplus = context.len().saturating_sub(most as usize);
            context.drain(..surplus);
        }
        context
    }
}
