//! Answering a message anew.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::config::Settings;
use crate::extract::{Json, Path, RequestContext};
use crate::models::chat::ChatCompletion;
use crate::models::ids::{ConversationId, MessageId};
use crate::models::message::RegenerateRequest;
use crate::routers::model_answer;
use crate::services::auth::Caller;
use crate::services::chat::ChatService;
use crate::utils::errors::{ApiError, ErrorBody};

/// Have a message answered anew
///
/// Of an answer: another answer to the same message, on a new branch that becomes the active one. Of a message of the
/// user: its answer, in place if it has none, else on a new branch. The answer is streamed and stored as that of
/// `/v1/chat/completions`, and goes on when the client goes away.
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/messages/{message_id}/regenerate",
    tag = "messages",
    params(
        ("id" = ConversationId, Path),
        ("message_id" = MessageId, Path),
        ("X-On-Disconnect" = Option<String>, Header, description = "`continue` or `cancel`: what becomes of the answer when the client goes away"),
    ),
    request_body = Option<RegenerateRequest>,
    responses(
        (status = 200, description = "The answer: `chat.completion`, or a stream of `chat.completion.chunk` that ends with `[DONE]`", content((ChatCompletion = "application/json"), (String = "text/event-stream"))),
        (status = 402, description = "The user's budget does not cover the answer, the model has no price, or the model server's budget is used up", body = ErrorBody),
        (status = 404, description = "No such conversation, message or model", body = ErrorBody),
        (status = 409, description = "An answer is being written there, there is nothing to answer, or a limit is reached", body = ErrorBody),
        (status = 422, description = "A field is not valid, or the model refused the request", body = ErrorBody),
        (status = 429, description = "Too many answers at once, or the model is limited", body = ErrorBody),
        (status = 502, description = "The model server failed", body = ErrorBody),
        (status = 503, description = "The model or the store cannot be reached, or this instance is about to stop", body = ErrorBody),
        (status = 504, description = "The model took too long", body = ErrorBody),
    ),
)]
pub(super) async fn regenerate_message(
    State(chat): State<Arc<ChatService>>,
    State(settings): State<Arc<Settings>>,
    caller: Caller,
    about: RequestContext,
    Path((id, message)): Path<(ConversationId, MessageId)>,
    headers: HeaderMap,
    body: Option<Json<RegenerateRequest>>,
) -> Result<Response, ApiError> {
    let context = model_answer::chat_context(about, &headers)?;
    let request = Json::or_default(body);
    let answer = chat.regenerate(caller, context, id, message, request).await?;
    Ok(model_answer::respond(answer, settings.load.sse_keepalive))
}
