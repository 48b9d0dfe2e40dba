//! Conversation chat.

use std::sync::Arc;

use serde_json::value::RawValue;
use tracing::Instrument as _;

use super::repeats::RepeatTurn;
use super::{ChatAnswer, ChatContext, ChatService, HEAD_WAIT, validation, whole};
use crate::models::chat::ConversationChatRequest;
use crate::models::ids::StreamId;
use crate::models::message::Role;
use crate::services::analytics::Feature;
use crate::services::auth::Caller;
use crate::services::billing::{InputSize, Wish, has_tools_of_servers};
use crate::services::conversations::{
    ContextMessage, NewTurn, StoreError, Turn, TurnInput, TurnTarget, model_messages,
};
use crate::services::generation::{
    Admission, DisconnectPolicy, JobHold, Kind, ModelJob, Reader, Shorten, StartGeneration, Subscription,
    TurnIds,
};
use crate::services::llm::{AttemptLog, ModelCall};
use crate::services::users::AnswerDefaults;
use crate::utils::errors::ApiError;
use crate::utils::json::RawObject;

/// What a request has that may be answered.
pub(super) struct Admitted {
    pub(super) admission: Admission,
    /// Keeps its repeats waiting until it is stored.
    pub(super) repeat: Option<RepeatTurn>,
    /// What the user prefers.
    pub(super) defaults: AnswerDefaults,
}

/// What a turn led to.
enum Begun {
    /// Its answer.
    Answer(Subscription),
    /// The answer to the same request, which came before.
    Before(StreamId),
}

impl ChatService {
    /// Stores the message, has it answered, and returns the answer: as a stream whose first chunk is there, or whole.
    ///
    /// # Errors
    /// What is wrong with the request, what is not there, a limit, a failing store, or a model that refused before
    /// anything of its answer was shown; the user's message stays stored then.
    pub async fn converse(
        self: Arc<Self>,
        caller: Caller,
        context: ChatContext,
        mut request: ConversationChatRequest,
    ) -> Result<ChatAnswer, ApiError> {
        let turn = validation::conversation(&mut request, &self.settings)?;
        let defaults = self.users.answer_defaults(caller.user_id).await;
        defaults.complete(&mut request);
        let repeat = match &context.idempotency_key {
            Some(key) => Some(self.repeats.turn(caller.user_id, &key.key).await),
            None => None,
        };
        if let Some(key) = &context.idempotency_key
            && let Some(stream_id) = self.store.answered_before(caller.user_id, key).await?
        {
            let streamed = request.stream.unwrap_or(true);
            return self.join(caller.user_id, stream_id, streamed).await;
        }
        let admitted = Admitted {
            admission: self.engine.admit(caller.user_id).await?,
            repeat,
            defaults,
        };
        self.answer(caller, context, request, turn, admitted).await
    }

    /// Appends a turn, has it answered, and returns the answer.
    pub(super) async fn answer(
        self: Arc<Self>,
        caller: Caller,
        context: ChatContext,
        request: ConversationChatRequest,
        (target, input): (TurnTarget, TurnInput),
        admitted: Admitted,
    ) -> Result<ChatAnswer, ApiError> {
        let of_conversation = match (&request.model, target.conversation()) {
            (None, Some(conversation)) => {
                let defaults = self.store.chat_defaults(caller.user_id, conversation).await?;
                defaults.ok_or(StoreError::ConversationNotFound)?.model
            }
            _ => None,
        };
        let model = self.model(
            request.model.as_deref(),
            of_conversation.or_else(|| admitted.defaults.model.clone()),
        )?;
        let streamed = request.stream.unwrap_or(true);
        let terms = self
            .billing
            .terms(Wish {
                model: &model,
                max_tokens: Some(self.max_tokens(&request)),
                choices: 1,
                beside: size_beside_messages(&request, &admitted.defaults),
                unbounded_by: request
                    .tools
                    .as_deref()
                    .is_some_and(has_tools_of_servers)
                    .then_some("tools"),
            })
            .await;
        let turn = NewTurn {
            target,
            input,
            stream_id: StreamId::new(&self.clock),
            model,
            conversation_model: request.model.clone(),
            request_id: context.request_id.clone(),
            streamed,
            idempotency_key: context.idempotency_key.clone(),
            terms: Some(terms),
        };
        let user = caller.user_id;
        // In a task of its own: a client that goes away between the two must not leave a message behind whose place
        // is taken and whose answer nobody writes.
        let chat = self.clone();
        let begun = async move { chat.begin(&caller, context, request, turn, admitted).await };
        let begun = self
            .lifecycle
            .spawn(begun.in_current_span())
            .await
            .map_err(ApiError::internal)??;
        let reader = match begun {
            Begun::Answer(reader) => reader,
            Begun::Before(stream_id) => return self.join(user, stream_id, streamed).await,
        };
        if streamed {
            reader.generation().opened(HEAD_WAIT).await?;
            return Ok(ChatAnswer::Stream(Reader::Here(reader)));
        }
        // The reader is kept until the end: dropping it would be a disconnect.
        let body = whole::answer(reader.generation()).await?;
        Ok(ChatAnswer::Whole {
            body,
            waited: reader.generation().waited(),
        })
    }

    /// Appends the turn and begins its answer.
    async fn begin(
        &self,
        caller: &Caller,
        context: ChatContext,
        request: ConversationChatRequest,
        new: NewTurn,
        Admitted {
            admission,
            repeat,
            defaults,
        }: Admitted,
    ) -> Result<Begun, ApiError> {
        let (stream_id, model, streamed) = (new.stream_id, new.model.clone(), new.streamed);
        let (role, brought) = match &new.input {
            TurnInput::Message(_) => (Role::User, 1),
            TurnInput::ToolResults(results) => (Role::Tool, results.len()),
            TurnInput::Again => (Role::User, 0),
        };
        let turn = match self.store.append_turn(caller, new).await {
            Err(StoreError::Repeated { stream_id }) => return Ok(Begun::Before(stream_id)),
            Err(StoreError::Refused(refusal)) => {
                self.billing.refused(caller.user_id, &refusal);
                return Err(refusal.into());
            }
            appended => appended?,
        };
        // From here on a repeat finds this turn.
        drop(repeat);
        self.billing.held(caller.user_id, &turn.hold);
        self.tell(caller, &turn, role, brought);
        let ids = TurnIds {
            conversation_id: turn.conversation_id,
            branch_id: turn.branch_id,
            user_message_id: turn.user_message_id,
            message_id: turn.message_id,
            stream_id,
        };
        let composer = Composer {
            context: defaults.shorten(turn.context),
            system: request
                .system_message
                .clone()
                .or(turn.system_message)
                .or(defaults.system_message),
            max_tokens: turn.hold.max_tokens.unwrap_or_else(|| self.max_tokens(&request)),
            request,
        };
        let call = ModelCall {
            request_id: context.request_id,
            user: caller.user_id,
            model,
            // What is stored was found to be JSON when it was read, so there always is a body; the model would refuse
            // an empty one, and the message stay.
            body: composer.body(usize::MAX).unwrap_or_default(),
            traceparent: context.traceparent,
            attempts: AttemptLog::default(),
        };
        Ok(Begun::Answer(self.engine.start(StartGeneration {
            id: stream_id,
            user_id: caller.user_id,
            kind: Kind::Conversation(ids),
            begun_at: turn.begun_at,
            streamed,
            keep_log: true,
            policy: DisconnectPolicy {
                action: context.on_disconnect.unwrap_or(self.settings.on_disconnect),
                grace: self.settings.disconnect_grace,
            },
            job: ModelJob {
                call,
                shorten: composer.shorten(),
                received: context.received,
                hold: JobHold::Recorded(turn.hold),
            },
            admission,
        })))
    }

    /// The most tokens that an answer may have, as far as its request is concerned.
    fn max_tokens(&self, request: &ConversationChatRequest) -> u64 {
        let default = u64::from(self.settings.default_max_tokens);
        request.max_tokens.unwrap_or(default)
    }

    /// Counts what was appended, and tells of what was made for it.
    fn tell(&self, caller: &Caller, turn: &Turn, role: Role, brought: usize) {
        let messages = &self.metrics.messages;
        messages
            .with_label_values(&[role.as_str()])
            .inc_by(brought as u64);
        let feature = match (turn.forked, brought) {
            // An answer beside another: the branch is but its place.
            (_, 0) => Some(Feature::Regeneration),
            (true, _) => Some(Feature::Branch),
            (false, _) => None,
        };
        if let Some(feature) = feature {
            self.feature_uses.count(caller.user_id, feature);
        }
        for (made, operation, event) in [
            (turn.new_conversation, "created", "conversation_created"),
            (turn.forked, "branched", "branch_created"),
        ] {
            if made {
                self.metrics.conversations.with_label_values(&[operation]).inc();
                tracing::info!(
                    event,
                    user_id = %caller.user_id,
                    conversation_id = %turn.conversation_id,
                    "business_event"
                );
            }
        }
    }
}

/// How much a model is sent beside the messages that are stored.
fn size_beside_messages(request: &ConversationChatRequest, defaults: &AnswerDefaults) -> InputSize {
    let mut size = InputSize::default();
    let system = request.system_message.as_ref();
    if let Some(system) = system.or(defaults.system_message.as_ref()) {
        size.add_message(system, None);
    }
    let definitions = [&request.tools, &request.tool_choice, &request.response_format];
    for definition in definitions.into_iter().flatten() {
        size.add_definition(definition);
    }
    size
}

/// Makes the request for the model, with as much of the context as is wanted.
struct Composer {
    request: ConversationChatRequest,
    system: Option<String>,
    context: Vec<ContextMessage>,
    max_tokens: u64,
}

impl Composer {
    /// The request with the newest `keep` messages; `None` if a stored part is no JSON, which it always is.
    fn body(&self, keep: usize) -> Option<RawObject> {
        let messages = model_messages(self.system.as_deref(), &self.context, keep).ok()?;
        self.fields(messages).ok()
    }

    /// The same with the older half left out.
    fn shorten(self) -> Option<Shorten> {
        let keep = self.context.len().div_ceil(2);
        (keep < self.context.len()).then(|| -> Shorten { Box::new(move || self.body(keep)) })
    }

    fn fields(&self, messages: Box<RawValue>) -> Result<RawObject, serde_json::Error> {
        let request = &self.request;
        let mut body = RawObject::default();
        body.set("messages", messages);
        body.set_value("max_tokens", &self.max_tokens)?;
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
