//! OpenAI-compatible chat: stateless, and passed through.

mod whole;

use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::whole::{WholeAnswer, interrupted};
use super::bounds::Bounds;
use super::{ChatAnswer, ChatContext, ChatService, HEAD_WAIT, validation};
use crate::config::OnDisconnect;
use crate::models::chat::{OpenAiChatRequest, StreamOptions};
use crate::models::ids::StreamId;
use crate::models::money::Money;
use crate::services::auth::Caller;
use crate::services::billing::{Billing, OpenHold, Reservation, Wish};
use crate::services::generation::{
    Admission, DisconnectPolicy, JobHold, Kind, ModelJob, Reader, StartGeneration,
};
use crate::services::llm::{AttemptLog, Completion, ModelCall, token_limit};
use crate::utils::errors::ApiError;
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
        mut body: RawObject,
    ) -> Result<ChatAnswer, ApiError> {
        validation::openai(request)?;
        let bounds = Bounds::read(&mut body)?;
        let admission = self.engine.admit(caller.user_id).await?;
        let model = self.model(request.model.as_deref(), None)?;
        let streamed = request.stream.unwrap_or(false);
        let id = StreamId::new(&self.clock);
        let terms = self
            .billing
            .terms(Wish {
                model: &model,
                max_tokens: bounds.max_tokens,
                choices: bounds.choices,
                beside: bounds.beside,
                unbounded_by: bounds.unbounded_by,
            })
            .await;
        let reservation = Reservation {
            id,
            user_id: caller.user_id,
            request_id: context.request_id.clone(),
            model: model.clone(),
            streamed,
            sent_bytes: bounds.messages.usual_bytes(),
            input_tokens: terms.input_tokens(bounds.messages),
            terms,
        };
        let call = ModelCall {
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
    call: ModelCall,
    admission: Admission,
}

/// Holds back what the answer costs at worst, and shortens it to what is covered. A request that names no limit gets one
/// where the model has none that is known: otherwise there would be no worst case.
async fn hold(
    billing: &Billing,
    reservation: Reservation,
    call: &mut ModelCall,
) -> Result<OpenHold, ApiError> {
    let assumed = reservation.terms.assumed_limit;
    let open = billing.hold(reservation).await?;
    let is_charged = open.hold.amount.is_some_and(|amount| amount > Money::ZERO);
    let limit = open.hold.max_tokens.or(assumed.filter(|_| is_charged));
    if let Some(limit) = limit {
        token_limit::lower(&mut call.body, limit).map_err(ApiError::internal)?;
    }
    Ok(open)
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
