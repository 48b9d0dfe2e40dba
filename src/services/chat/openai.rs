//! OpenAI-compatible chat: stateless, and passed through.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{ChatAnswer, ChatContext, ChatService, HEAD_WAIT, validation};
use crate::config::OnDisconnect;
use crate::models::chat::{OpenAiChatRequest, StreamOptions};
use crate::models::ids::StreamId;
use crate::models::message::MessageStatus;
use crate::services::auth::Caller;
use crate::services::billing::{PriceList, UsageEvent};
use crate::services::conversations::AnswerUsage;
use crate::services::generation::{
    Admission, AnswerReport, DisconnectPolicy, Engine, Kind, ModelJob, Reader, StartGeneration,
};
use crate::services::llm::{ChatCall, Completion, ModelError, ModelErrorKind, TimeoutStage};
use crate::services::outbox::Outbox;
use crate::utils::clock::Clock;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::json::RawObject;

impl ChatService {
    /// Has the messages answered. Nothing is stored but the usage.
    ///
    /// # Errors
    /// What is wrong with the request, a limit, or what the model refused it with.
    pub async fn complete(
        &self,
        caller: &Caller,
        context: ChatContext,
        request: &OpenAiChatRequest,
        body: RawObject,
    ) -> Result<ChatAnswer, ApiError> {
        validation::openai(request)?;
        let admission = self.engine.admit(caller.user_id).await?;
        let model = self.model(request.model.as_deref(), None)?;
        let call = ChatCall {
            request_id: context.request_id.clone(),
            user: caller.user_id,
            model,
            body,
            traceparent: context.traceparent.clone(),
        };
        if request.stream.unwrap_or(false) {
            self.stream(context, request, call, admission).await
        } else {
            let completion = self.whole(context.on_disconnect, call, admission).await?;
            Ok(ChatAnswer::Whole {
                body: completion.body,
                waited: Some(completion.waited),
            })
        }
    }

    async fn stream(
        &self,
        context: ChatContext,
        request: &OpenAiChatRequest,
        call: ChatCall,
        admission: Admission,
    ) -> Result<ChatAnswer, ApiError> {
        // Nobody could come back for it, unless the client says that it will.
        let action = context.on_disconnect.unwrap_or(OnDisconnect::Cancel);
        let keep_log = action == OnDisconnect::Continue;
        let reader = self.engine.start(StartGeneration {
            id: StreamId::new(&self.clock),
            user_id: call.user,
            kind: Kind::Stateless {
                shows_usage: shows_usage(request),
            },
            begun_at: self.clock.now(),
            streamed: true,
            keep_log,
            policy: DisconnectPolicy {
                action,
                grace: Duration::ZERO,
            },
            job: ModelJob {
                call,
                shorten: None,
                received: context.received,
            },
            admission,
        });
        reader.generation().opened(HEAD_WAIT).await?;
        Ok(ChatAnswer::Stream(Reader::Here(reader)))
    }

    /// Asks in a task of its own, so that what was used is accounted for when the client goes away; the model is
    /// no longer asked then.
    async fn whole(
        &self,
        on_disconnect: Option<OnDisconnect>,
        call: ChatCall,
        admission: Admission,
    ) -> Result<Completion, ApiError> {
        let (reply, answer) = oneshot::channel();
        let gone = CancellationToken::new();
        let task = WholeAnswer {
            engine: self.engine.clone(),
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
            limit: self.settings.stream_timeout,
            hard: self.lifecycle.hard().clone(),
            gone: gone.clone(),
            admission,
        };
        let span = tracing::error_span!("completion", request_id = &*call.request_id, user_id = %call.user);
        self.lifecycle
            .spawn(Box::pin(task.run(call, reply).instrument(span)));
        let goes_on = on_disconnect == Some(OnDisconnect::Continue);
        let _hang_up = (!goes_on).then(|| gone.drop_guard());
        answer.await.unwrap_or_else(|_| Err(interrupted()))
    }
}

/// Whether the client asked for the usage. What is wrong with the options is for the model to say.
fn shows_usage(request: &OpenAiChatRequest) -> bool {
    request
        .stream_options
        .as_ref()
        .and_then(|options| serde_json::from_str::<StreamOptions>(options.get()).ok())
        .and_then(|options| options.include_usage)
        .unwrap_or(false)
}

struct WholeAnswer {
    engine: Engine,
    outbox: Outbox,
    clock: Clock,
    limit: Duration,
    hard: CancellationToken,
    gone: CancellationToken,
    admission: Admission,
}

impl WholeAnswer {
    async fn run(self, call: ChatCall, reply: oneshot::Sender<Result<Completion, ApiError>>) {
        let started = tokio::time::Instant::now();
        let (status, result) = tokio::select! {
            biased;
            () = self.hard.cancelled() => (MessageStatus::Interrupted, Err(interrupted())),
            () = self.gone.cancelled() => (MessageStatus::Cancelled, Err(interrupted())),
            () = tokio::time::sleep(self.limit) => {
                (MessageStatus::Failed, Err(ModelError::timeout(TimeoutStage::Total).into()))
            }
            completion = self.engine.model().complete(&call) => match completion {
                Ok(completion) => (MessageStatus::Completed, Ok(completion)),
                Err(error) => (status_of(&error), Err(ApiError::from(error))),
            },
        };
        let took = started.elapsed();
        let (model, usage) = match &result {
            Ok(completion) => (
                completion.model.clone(),
                usage(completion, &call, self.engine.prices()),
            ),
            // A model that was stopped in the middle has read at least what it was sent.
            Err(_) if status == MessageStatus::Cancelled || status == MessageStatus::Interrupted => (
                call.model.clone(),
                AnswerUsage::reported_or_estimated(None, sent_bytes(&call), 0),
            ),
            Err(_) => (call.model.clone(), AnswerUsage::default()),
        };
        self.engine.report(&AnswerReport {
            model: &model,
            user: call.user,
            conversation: None,
            status,
            streamed: false,
            usage: &usage,
            took,
        });
        let event = UsageEvent {
            id: StreamId::new(&self.clock),
            user_id: call.user,
            request_id: call.request_id,
            conversation_id: None,
            message_id: None,
            model,
            status,
            streamed: false,
            usage,
            latency_ms: u64::try_from(took.as_millis()).ok(),
            first_token_ms: None,
            created_at: self.clock.now(),
        };
        self.outbox.record_usage(event).await;
        self.admission.give_back().await;
        // The client may have gone away.
        let _ = reply.send(result);
    }
}

/// What the model says it used, and where it does not, what its size suggests; what it says it cost, and where it does
/// not, what its prices come to.
fn usage(completion: &Completion, call: &ChatCall, prices: &dyn PriceList) -> AnswerUsage {
    let mut usage =
        AnswerUsage::reported_or_estimated(completion.usage, sent_bytes(call), completion.body.len());
    usage.cost = completion.cost.or_else(|| prices.cost(&completion.model, &usage));
    usage
}

fn sent_bytes(call: &ChatCall) -> usize {
    call.body
        .get("messages")
        .map_or(0, |messages| messages.get().len())
}

const fn status_of(error: &ModelError) -> MessageStatus {
    match error.kind() {
        ModelErrorKind::Interrupted => MessageStatus::Interrupted,
        _ => MessageStatus::Failed,
    }
}

fn interrupted() -> ApiError {
    ApiError::new(
        ErrorCode::StreamInterrupted,
        "The answer ended before it was complete.",
    )
}
