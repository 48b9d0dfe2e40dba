//! Answering a stored message anew.

use std::sync::Arc;

use super::conversation::Admitted;
use super::{ChatAnswer, ChatContext, ChatService, validation};
use crate::models::chat::ConversationChatRequest;
use crate::models::ids::{ConversationId, MessageId};
use crate::models::message::RegenerateRequest;
use crate::services::auth::Caller;
use crate::services::conversations::{TurnInput, TurnTarget};
use crate::utils::errors::ApiError;

impl ChatService {
    /// Answers a message of the user, in place if it has no answer yet, or gives an answer another one beside it on a
    /// new branch; and returns the new answer as [`converse`](Self::converse) does.
    ///
    /// # Errors
    /// What is wrong with the request, what is not there, a message that cannot be answered, a limit, a failing
    /// store, or a model that refused before anything of its answer was shown.
    pub async fn regenerate(
        self: Arc<Self>,
        caller: Caller,
        context: ChatContext,
        conversation_id: ConversationId,
        message_id: MessageId,
        request: RegenerateRequest,
    ) -> Result<ChatAnswer, ApiError> {
        let RegenerateRequest {
            model,
            temperature,
            max_tokens,
            system_message,
            branch_name,
            stream,
        } = request;
        let mut options = ConversationChatRequest {
            model,
            temperature,
            max_tokens,
            system_message,
            stream,
            ..ConversationChatRequest::default()
        };
        validation::regeneration(&options, branch_name.as_deref(), &self.settings)?;
        let defaults = self.users.answer_defaults(caller.user_id).await;
        defaults.complete(&mut options);
        let admitted = Admitted {
            admission: self.engine.admit(caller.user_id).await?,
            repeat: None,
            defaults,
        };
        let target = TurnTarget::Regenerate {
            conversation_id,
            message_id,
            branch_name,
        };
        let turn = (target, TurnInput::Again);
        self.answer(caller, context, options, turn, admitted).await
    }
}
