//! Chat, and the streams that outlive a connection.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::with_scope;
use super::{event_stream, model_answer};
use crate::config::Settings;
use crate::extract::{Json, Path, Query, RawJson, RequestContext, check_storable, parse};
use crate::models::chat::{CancelledStream, ChatCompletion, ChatRequest, OpenAiChatRequest};
use crate::models::common::Success;
use crate::models::ids::StreamId;
use crate::models::scope::Scope;
use crate::services::auth::Caller;
use crate::services::chat::{ChatAnswer, ChatContext, ChatService};
use crate::services::generation::{Engine, Found};
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorBody, ErrorCode};
use crate::utils::json::RawObject;

/// How long a cancelled answer may take to be stored before the request that cancelled it is answered.
const CANCEL_PATIENCE: Duration = Duration::from_secs(5);

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(with_scope(Scope::Chat, routes!(create_chat_completion)))
        .routes(with_scope(Scope::Chat, routes!(read_stream)))
        .routes(with_scope(Scope::Chat, routes!(cancel_stream)))
}

/// Ask a model
///
/// With `message`: conversation chat. The message is stored, the path of its branch is the context, and the answer
/// is stored; it is streamed unless `stream` is false, and goes on when the client goes away.
///
/// With `messages`: OpenAI-compatible chat. The request is passed to the model as it is and nothing is stored but
/// the usage; the answer is whole unless `stream` is true. Validation errors are 400 there.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "chat",
    request_body = ChatRequest,
    params(
        ("X-On-Disconnect" = Option<String>, Header, description = "`continue` or `cancel`: what becomes of the answer when the client goes away"),
        ("Idempotency-Key" = Option<String>, Header, description = "Conversation chat: 1 to 255 ASCII characters of the client's own. The same request with the same key, within 24 hours, gets the first one's answer."),
    ),
    responses(
        (status = 200, description = "The answer: `chat.completion`, or a stream of `chat.completion.chunk` that ends with `[DONE]`", content((ChatCompletion = "application/json"), (String = "text/event-stream"))),
        (status = 402, description = "The user's budget does not cover the answer, the model has no price, or the model server's budget is used up", body = ErrorBody),
        (status = 404, description = "No such conversation, branch, message or model", body = ErrorBody),
        (status = 409, description = "An answer is being written there, a limit is reached, or the key was used for another request", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The body is not declared as JSON", body = ErrorBody),
        (status = 422, description = "A field is not valid, or the model refused the request", body = ErrorBody),
        (status = 429, description = "Too many answers at once, or the model is limited", body = ErrorBody),
        (status = 502, description = "The model server failed", body = ErrorBody),
        (status = 503, description = "The model or the store cannot be reached, or this instance is about to stop", body = ErrorBody),
        (status = 504, description = "The model took too long", body = ErrorBody),
    ),
)]
async fn create_chat_completion(
    State(chat): State<Arc<ChatService>>,
    State(settings): State<Arc<Settings>>,
    caller: Caller,
    about: RequestContext,
    headers: HeaderMap,
    RawJson(body): RawJson,
) -> Result<Response, ApiError> {
    let context = || model_answer::chat_context(about, &headers);
    let fields: RawObject = parse(&body)?;
    let answer = match (
        fields.has("message") || fields.has("tool_results"),
        fields.has("messages"),
    ) {
        (true, false) => {
            check_storable(&body)?;
            let context = ChatContext {
                idempotency_key: model_answer::idempotency_key(&headers, &body)?,
                ..context()?
            };
            chat.converse(caller, context, parse(&body)?).await?
        }
        (false, true) => async { openai(&chat, &caller, context()?, &body, fields).await }
            .await
            .map_err(ApiError::for_openai_clients)?,
        (true, true) => {
            return Err(ApiError::invalid_field(
                "messages",
                "cannot be given together with message",
            ));
        }
        (false, false) => {
            return Err(ApiError::invalid_field(
                "message",
                "is required, or messages for OpenAI-compatible chat",
            ));
        }
    };
    Ok(model_answer::respond(answer, settings.load.sse_keepalive))
}

async fn openai(
    chat: &ChatService,
    caller: &Caller,
    context: ChatContext,
    body: &[u8],
    fields: RawObject,
) -> Result<ChatAnswer, ApiError> {
    check_storable(body)?;
    let request: OpenAiChatRequest = parse(body)?;
    chat.complete(caller, context, &request, fields).await
}

/// Where a reader of a stream wants to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ResumeQuery {
    /// The id of the last event that was received; the stream goes on after it. Wins over `Last-Event-ID`.
    #[param(value_type = Option<u64>)]
    pub(super) after: Option<String>,
}

/// Read a stream, again or for the first time
///
/// Replays it from its start, or after `Last-Event-ID` or `after`, and goes on live. It is kept for
/// `STREAM_RETENTION_SECONDS` after its end.
#[utoipa::path(
    get,
    path = "/v1/chat/streams/{stream_id}",
    tag = "chat",
    params(
        ("stream_id" = StreamId, Path),
        ("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event that was received"),
        ResumeQuery,
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 404, description = "No such stream, or no longer kept: `details.message_id` then names the stored answer", body = ErrorBody),
        (status = 422, description = "The id of the event is not valid", body = ErrorBody),
    ),
)]
async fn read_stream(
    State(engine): State<Engine>,
    State(settings): State<Arc<Settings>>,
    caller: Caller,
    Path(stream_id): Path<StreamId>,
    Query(query): Query<ResumeQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after = event_stream::resume_point(query.after.as_deref(), &headers)?;
    match engine.find(caller.user_id, stream_id, after).await? {
        Found::Live(reader) => Ok(event_stream::live(reader, settings.load.sse_keepalive)),
        Found::Gone(message_id) => Err(no_such_stream().with_detail("message_id", message_id.to_string())),
        Found::Nothing => Err(no_such_stream()),
    }
}

/// Stop an answer
///
/// What was produced is stored with the finish reason `cancelled`. Cancelling what has ended changes nothing.
#[utoipa::path(
    post,
    path = "/v1/chat/streams/{stream_id}/cancel",
    tag = "chat",
    params(("stream_id" = StreamId, Path)),
    responses(
        (status = 200, description = "How the answer ended", body = Success<CancelledStream>),
        (status = 404, description = "No such stream", body = ErrorBody),
    ),
)]
async fn cancel_stream(
    State(engine): State<Engine>,
    caller: Caller,
    Path(stream_id): Path<StreamId>,
) -> Result<(StatusCode, Json<Success<CancelledStream>>), ApiError> {
    let ended = engine.cancel(caller.user_id, stream_id, CANCEL_PATIENCE).await?;
    let (status, message_id) = ended.ok_or_else(no_such_stream)?;
    Ok((
        StatusCode::OK,
        Json(Success::new(CancelledStream {
            stream_id,
            status,
            message_id,
        })),
    ))
}

fn no_such_stream() -> ApiError {
    ApiError::new(
        ErrorCode::StreamNotFound,
        "The stream does not exist, or is no longer kept.",
    )
}
