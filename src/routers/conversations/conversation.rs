//! One conversation.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::config::Settings;
use crate::extract::{Json, Path, Query};
use crate::models::common::Success;
use crate::models::conversation::{
    Conversation, ConversationDetail, CreateConversationRequest, DeletedConversation, FullConversation,
    UpdateConversationRequest,
};
use crate::models::ids::{BranchId, ConversationId};
use crate::routers::chat::ResumeQuery;
use crate::routers::created::created;
use crate::routers::event_stream;
use crate::services::auth::Caller;
use crate::services::conversations::ConversationService;
use crate::services::generation::Engine;
use crate::utils::errors::{ApiError, ErrorBody};

/// Make a conversation, with an empty branch "Main"
#[utoipa::path(
    post,
    path = "/v1/conversations",
    tag = "conversations",
    request_body = CreateConversationRequest,
    responses(
        (status = 201, description = "The conversation; `Location` names it", body = Success<ConversationDetail>),
        (status = 409, description = "The user has as many conversations as allowed", body = ErrorBody),
        (status = 422, description = "A field is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn create_conversation(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Json(request): Json<CreateConversationRequest>,
) -> Result<Response, ApiError> {
    let made = conversations.create(&caller, request).await?;
    let location = format!("/v1/conversations/{}", made.conversation.id);
    Ok(created(&location, made))
}

/// A conversation with its branches
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}",
    tag = "conversations",
    params(("id" = ConversationId, Path)),
    responses(
        (status = 200, description = "The conversation", body = Success<ConversationDetail>),
        (status = 404, description = "No such conversation", body = ErrorBody),
    ),
)]
pub(super) async fn read_conversation(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
) -> Result<Json<Success<ConversationDetail>>, ApiError> {
    Ok(Json(Success::new(conversations.read(caller.user_id, id).await?)))
}

/// Change a conversation
///
/// What is absent stays as it is; null empties a field. A body that changes nothing is refused.
#[utoipa::path(
    patch,
    path = "/v1/conversations/{id}",
    tag = "conversations",
    params(("id" = ConversationId, Path)),
    request_body = UpdateConversationRequest,
    responses(
        (status = 200, description = "The conversation", body = Success<Conversation>),
        (status = 404, description = "No such conversation", body = ErrorBody),
        (status = 422, description = "A field is not valid, or none is given", body = ErrorBody),
    ),
)]
pub(super) async fn update_conversation(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Json(request): Json<UpdateConversationRequest>,
) -> Result<Json<Success<Conversation>>, ApiError> {
    let changed = conversations.update(caller.user_id, id, request).await?;
    Ok(Json(Success::new(changed)))
}

/// Delete a conversation, with its branches and messages
///
/// Answers that are being written there are stopped.
#[utoipa::path(
    delete,
    path = "/v1/conversations/{id}",
    tag = "conversations",
    params(("id" = ConversationId, Path)),
    responses(
        (status = 200, description = "It is gone", body = Success<DeletedConversation>),
        (status = 404, description = "No such conversation", body = ErrorBody),
    ),
)]
pub(super) async fn delete_conversation(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
) -> Result<Json<Success<DeletedConversation>>, ApiError> {
    let deleted = conversations.delete(caller.user_id, id).await?;
    Ok(Json(Success::new(deleted)))
}

/// Which part of a conversation is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FullQuery {
    /// Only the messages on the path of this branch.
    branch_id: Option<BranchId>,
    /// Whether `tree` is there. Absent: `true`.
    #[param(default = true)]
    tree: Option<bool>,
}

/// A conversation with its branches and every message
///
/// `tree` is nested two levels for each message on a path. Many JSON parsers give up at 256 or 1,000 levels: read long
/// conversations with `tree=false`, and take the tree from the `parent_id` of each message.
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/full",
    tag = "conversations",
    params(("id" = ConversationId, Path), FullQuery),
    responses(
        (status = 200, description = "The conversation", body = Success<FullConversation>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn read_full_conversation(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(query): Query<FullQuery>,
) -> Result<Json<Success<FullConversation>>, ApiError> {
    Ok(Json(Success::new(
        conversations
            .read_full(caller.user_id, id, query.branch_id, query.tree.unwrap_or(true))
            .await?,
    )))
}

/// The running stream of a conversation
///
/// From its start, or after `Last-Event-ID` or `after`.
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/stream",
    tag = "conversations",
    params(
        ("id" = ConversationId, Path),
        ("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event that was received"),
        ResumeQuery,
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 204, description = "No answer is being written there"),
        (status = 404, description = "No such conversation", body = ErrorBody),
    ),
)]
pub(super) async fn read_running_stream(
    State(conversations): State<Arc<ConversationService>>,
    State(engine): State<Engine>,
    State(settings): State<Arc<Settings>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(query): Query<ResumeQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after = event_stream::resume_point(query.after.as_deref(), &headers)?;
    if let Some(reader) = engine.running_in(caller.user_id, id, after).await? {
        return Ok(event_stream::live(reader, settings.load.sse_keepalive));
    }
    conversations.read(caller.user_id, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
