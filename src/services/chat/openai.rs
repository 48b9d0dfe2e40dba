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
use crate::models::money::Money;
use crate::services::auth::Caller;
use crate::services::billing::{AnswerUsage, Billing, InputSize, OpenHold, Reservation, UsageEvent, Wish};
use crate::services::generation::{
    Admission, AnswerReport, DisconnectPolicy, Engine, JobHold, Kind, ModelJob, Reader, StartGeneration,
};
use crate::services::llm::{AttemptLog, ChatCall, Completion, ModelError, ModelErrorKind, TimeoutStage};
use crate::services::outbox::Outbox;
use crate::utils::clock::Clock;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::json::RawObject;

/// OpenAI's two names for the most tokens that an answer may have.
const TOKEN_LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

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
        let streamed = request.stream.unwrap_or(false);
        let id = StreamId::new(&self.clock);
        let (messages, beside) = input_size(&body);
        let terms = self
            .billing
            .terms(Wish {
                model: &model,
                max_tokens: token_limit(&body),
                choices: number(&body, "n").unwrap_or(1),
                beside,
            })
            .await;
        let reservation = Reservation {
            id,
            user_id: caller.user_id,
            request_id: context.request_id.clone(),
            model: model.clone(),
            streamed,
            sent_bytes: messages.bytes,
            input_tokens: terms.input_tokens(messages),
            terms,
        };
        let call = ChatCall {
            request_id: context.request_id.clone(),
            user: caller.user_id,
            model,
            body,
            traceparent: context.traceparent.clone(),
            attempts: AttemptLog::default(),
        };
        let wanted = Wanted {
            id,
            reservation,
            call,
            admission,
        };
        if streamed {
            self.stream(context, shows_usage(request), wanted).await
        } else {
            let completion = self.whole(context.on_disconnect, wanted).await?;
            Ok(ChatAnswer::Whole {
                body: completion.body,
                waited: Some(completion.waited),
            })
        }
    }

    async fn stream(
        &self,
        context: ChatContext,
        shows_usage: bool,
        wanted: Wanted,
    ) -> Result<ChatAnswer, ApiError> {
        // Nobody could come back for it, unless the client says that it will.
        let action = context.on_disconnect.unwrap_or(OnDisconnect::Cancel);
        let keep_log = action == OnDisconnect::Continue;
        let (engine, billing, begun_at) = (self.engine.clone(), self.billing.clone(), self.clock.now());
        // In a task of its own: a client that goes away in between must not leave something held back.
        let beginning = async move {
            let Wanted {
                id,
                reservation,
                mut call,
                admission,
            } = wanted;
            let hold = hold(&billing, reservation, &mut call).await?;
            Ok::<_, ApiError>(engine.start(StartGeneration {
                id,
                user_id: call.user,
                kind: Kind::Stateless { shows_usage },
                begun_at,
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
                    hold: JobHold::Open(hold),
                },
                admission,
            }))
        };
        let reader = self
            .lifecycle
            .spawn(beginning.in_current_span())
            .await
            .map_err(ApiError::internal)??;
        reader.generation().opened(HEAD_WAIT).await?;
        Ok(ChatAnswer::Stream(Reader::Here(reader)))
    }

    /// Asks in a task of its own, so that what was used is accounted for when the client goes away; the model is
    /// no longer asked then.
    async fn whole(
        &self,
        on_disconnect: Option<OnDisconnect>,
        wanted: Wanted,
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
        };
        let call = &wanted.call;
        let span = tracing::error_span!("completion", request_id = &*call.request_id, user_id = %call.user);
        self.lifecycle
            .spawn(Box::pin(task.run(wanted, reply).instrument(span)));
        let goes_on = on_disconnect == Some(OnDisconnect::Continue);
        let _hang_up = (!goes_on).then(|| gone.drop_guard());
        answer.await.unwrap_or_else(|_| Err(interrupted()))
    }
}

/// An answer that is wanted.
struct Wanted {
    id: StreamId,
    reservation: Reservation,
    call: ChatCall,
    admission: Admission,
}

/// Holds back what the answer costs at worst, and shortens it to what is covered. A request that names no limit gets one
/// where the model has none that is known: otherwise there would be no worst case.
async fn hold(
    billing: &Billing,
    reservation: Reservation,
    call: &mut ChatCall,
) -> Result<OpenHold, ApiError> {
    let assumed = reservation.terms.assumed_limit;
    let open = billing.hold(reservation).await?;
    let is_charged = open.hold.amount.is_some_and(|amount| amount > Money::ZERO);
    let limit = open.hold.max_tokens.or(assumed.filter(|_| is_charged));
    if let Some(limit) = limit {
        set_token_limit(&mut call.body, limit).map_err(ApiError::internal)?;
    }
    Ok(open)
}

/// How much the messages of a request are, and how much what else it brings.
fn input_size(body: &RawObject) -> (InputSize, InputSize) {
    let messages = body.get("messages").map(InputSize::of_messages);
    let mut beside = InputSize::default();
    for name in [
        "tools",
        "functions",
        "tool_choice",
        "response_format",
        "prediction",
    ] {
        if let Some(value) = body.get(name) {
            beside.add_definition(value);
        }
    }
    (messages.unwrap_or_default(), beside)
}

/// The most tokens that a request wants for each choice: the higher of its limits, should it name both.
fn token_limit(body: &RawObject) -> Option<u64> {
    TOKEN_LIMITS.iter().filter_map(|name| number(body, name)).max()
}

/// Lowers the limits that a request names to this one, or names it.
fn set_token_limit(body: &mut RawObject, limit: u64) -> Result<(), serde_json::Error> {
    let mut named = TOKEN_LIMITS
        .into_iter()
        .filter(|name| number(body, name).is_some())
        .peekable();
    let [usual, _] = TOKEN_LIMITS;
    if named.peek().is_none() {
        return body.set_value(usual, &limit);
    }
    let named: Vec<_> = named.collect();
    for name in named {
        let lower = number(body, name).unwrap_or(limit).min(limit);
        body.set_value(name, &lower)?;
    }
    Ok(())
}

/// A whole number of a request. What is none is for the model to refuse.
fn number(body: &RawObject, name: &str) -> Option<u64> {
    serde_json::from_str(body.get(name)?.get()).ok()
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
}

impl WholeAnswer {
    async fn run(self, wanted: Wanted, reply: oneshot::Sender<Result<Completion, ApiError>>) {
        let Wanted {
            id,
            reservation,
            mut call,
            admission,
        } = wanted;
        let open = match hold(self.engine.billing(), reservation, &mut call).await {
            Ok(open) => open,
            Err(error) => {
                admission.give_back().await;
                // The client may have gone away.
                let _ = reply.send(Err(error));
                return;
            }
        };
        let started = tokio::time::Instant::now();
        let (status, result) = tokio::select! {
            biased;
            () = self.hard.cancelled() => (MessageStatus::Interrupted, Err(interrupted())),
            () = self.gone.cancelled() => (MessageStatus::Cancelled, Err(interrupted())),
            () = open.stopped.cancelled() => (MessageStatus::Cancelled, Err(interrupted())),
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
                usage(completion, &call, self.engine.billing()),
            ),
            // A model that was stopped in the middle has read at least what it was sent.
            Err(_) if status == MessageStatus::Cancelled || status == MessageStatus::Interrupted => {
                let mut usage = AnswerUsage::reported_or_estimated(None, sent_bytes(&call), 0);
                usage.cost = self.engine.billing().cost(&call.model, &usage);
                (call.model.clone(), usage)
            }
            Err(_) => (call.model.clone(), AnswerUsage::default()),
        };
        self.engine.report(&AnswerReport {
            model: &model,
            user: call.user,
            conversation: None,
            status,
            streamed: false,
            usage: &usage,
            held: open.hold.amount,
            took,
        });
        let event = UsageEvent {
            id,
            user_id: call.user,
            request_id: call.request_id,
            conversation_id: None,
            message_id: None,
            model,
            status,
            streamed: false,
            usage,
            attempts: call.attempts.take(),
            latency_ms: u64::try_from(took.as_millis()).ok(),
            first_token_ms: None,
            provisional: false,
            created_at: self.clock.now(),
        };
        self.outbox.record_usage(event).await;
        drop(open);
        admission.give_back().await;
        // The client may have gone away.
        let _ = reply.send(result);
    }
}

/// What the model says it used, and where it does not, what its size suggests; what it says it cost, and where it does
/// not, what its prices come to.
fn usage(completion: &Completion, call: &ChatCall, billing: &Billing) -> AnswerUsage {
    let mut usage =
        AnswerUsage::reported_or_estimated(completion.usage, sent_bytes(call), completion.body.len());
    usage.cost = completion
        .cost
        .or_else(|| billing.cost(&completion.model, &usage));
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
