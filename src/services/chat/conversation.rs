//! Conversation chat.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{ChatAnswer, ChatContext, ChatService, HEAD_WAIT, validation};
use crate::models::chat::{ChatChoice, ChatCompletion, ChatMessage, ConversationChatRequest};
use crate::models::ids::StreamId;
use crate::models::message::{MessageUsage, Role};
use crate::services::auth::Caller;
use crate::services::conversations::{
    ContextMessage, NewTurn, StoreError, Turn, TurnInput, TurnTarget, model_messages,
};
use crate::services::generation::{
    DisconnectPolicy, Ending, Generation, Kind, ModelJob, Shorten, StartGeneration, TurnIds,
};
use crate::services::llm::ChatCall;
use crate::utils::errors::ApiError;
use crate::utils::json::RawObject;

impl ChatService {
    /// Stores the message, has it answered, and returns the answer: as a stream whose first chunk is there, or whole.
    ///
    /// # Errors
    /// What is wrong with the request, what is not there, a limit, a failing store, or a model that refused before
    /// anything of its answer was shown; the user's message stays stored then.
    pub async fn converse(
        &self,
        caller: &Caller,
        context: ChatContext,
        mut request: ConversationChatRequest,
    ) -> Result<ChatAnswer, ApiError> {
        let (target, input) = validation::conversation(&mut request, &self.settings)?;
        let admission = self.engine.admit(caller.user_id)?;
        let of_conversation = match (&request.model, target) {
            (None, TurnTarget::Existing { conversation_id, .. }) => {
                let defaults = self.store.chat_defaults(caller.user_id, conversation_id).await?;
                defaults.ok_or(StoreError::ConversationNotFound)?.model
            }
            _ => None,
        };
        let model = self.model(request.model.as_deref(), of_conversation)?;
        let streamed = request.stream.unwrap_or(true);
        let stream_id = StreamId::new(&self.clock);
        let tool_results = match &input {
            TurnInput::Message(_) => None,
            TurnInput::ToolResults(results) => Some(results.len()),
        };
        let turn = NewTurn {
            target,
            input,
            stream_id,
            model: model.clone(),
            request_id: context.request_id.clone(),
            streamed,
        };
        let turn = self.store.append_turn(caller, turn).await?;
        self.count(&turn, tool_results);
        let job = ModelJob {
            call: ChatCall {
                request_id: context.request_id.clone(),
                user: caller.user_id,
                model,
                body: self.body(&request, &turn)?,
                traceparent: context.traceparent.clone(),
            },
            shorten: self.shorten(request, &turn),
            received: context.received,
        };
        let reader = self.engine.start(StartGeneration {
            id: stream_id,
            user_id: caller.user_id,
            kind: Kind::Conversation(TurnIds {
                conversation_id: turn.conversation_id,
                branch_id: turn.branch_id,
                user_message_id: turn.user_message_id,
                message_id: turn.message_id,
                stream_id,
            }),
            streamed,
            keep_log: true,
            policy: DisconnectPolicy {
                action: context.on_disconnect.unwrap_or(self.settings.on_disconnect),
                grace: self.settings.disconnect_grace,
            },
            job,
            admission,
        });
        if streamed {
            reader.generation().opened(HEAD_WAIT).await?;
            return Ok(ChatAnswer::Stream(reader));
        }
        // The reader is kept until the end: dropping it would be a disconnect.
        let body = whole_answer(reader.generation()).await?;
        Ok(ChatAnswer::Whole {
            body,
            waited: reader.generation().waited(),
        })
    }

    fn count(&self, turn: &Turn, tool_results: Option<usize>) {
        let messages = &self.metrics.messages;
        match tool_results {
            Some(count) => messages.with_label_values(&["tool"]).inc_by(count as u64),
            None => messages.with_label_values(&["user"]).inc(),
        }
        if turn.new_conversation {
            self.metrics.conversations.with_label_values(&["created"]).inc();
        }
        if turn.forked {
            self.metrics.conversations.with_label_values(&["branched"]).inc();
        }
    }

    /// The request for the model.
    fn body(&self, request: &ConversationChatRequest, turn: &Turn) -> Result<RawObject, ApiError> {
        let system = request
            .system_message
            .as_deref()
            .or(turn.system_message.as_deref());
        let messages =
            model_messages(system, &turn.context, turn.context.len()).map_err(ApiError::internal)?;
        let fields = ModelFields {
            request,
            default_max_tokens: self.settings.default_max_tokens,
        };
        fields.with(messages).map_err(ApiError::internal)
    }

    /// The same request with the older half of the context left out.
    fn shorten(&self, request: ConversationChatRequest, turn: &Turn) -> Option<Shorten> {
        let context: Vec<ContextMessage> = turn.context.clone();
        let keep = context.len().div_ceil(2);
        if keep == context.len() {
            return None;
        }
        let system = request
            .system_message
            .clone()
            .or_else(|| turn.system_message.clone());
        let default_max_tokens = self.settings.default_max_tokens;
        Some(Box::new(move || {
            let messages = model_messages(system.as_deref(), &context, keep).ok()?;
            ModelFields {
                request: &request,
                default_max_tokens,
            }
            .with(messages)
            .ok()
        }))
    }
}

/// What a request says to the model beside its messages.
struct ModelFields<'a> {
    request: &'a ConversationChatRequest,
    default_max_tokens: u32,
}

impl ModelFields<'_> {
    fn with(&self, messages: Box<RawValue>) -> Result<RawObject, serde_json::Error> {
        let request = self.request;
        let mut body = RawObject::default();
        body.set("messages", messages);
        body.set_value(
            "max_tokens",
            &request
                .max_tokens
                .unwrap_or_else(|| u64::from(self.default_max_tokens)),
        )?;
        if let Some(temperature) = request.temperature {
            body.set_value("temperature", &temperature)?;
        }
        for (name, value) in [
            ("top_p", &request.top_p),
            ("stop", &request.stop),
            ("presence_penalty", &request.presence_penalty),
            ("frequency_penalty", &request.frequency_penalty),
            ("seed", &request.seed),
            ("tools", &request.tools),
            ("tool_choice", &request.tool_choice),
            ("response_format", &request.response_format),
            ("reasoning_effort", &request.reasoning_effort),
        ] {
            if let Some(value) = value {
                body.set(name, value.clone());
            }
        }
        Ok(body)
    }
}

/// Waits for the end and puts the answer together: the model's own object with our ids, and its cost.
async fn whole_answer(generation: &Arc<Generation>) -> Result<Bytes, ApiError> {
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
