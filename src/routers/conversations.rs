//! Conversations.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::chat::ResumeQuery;
use super::event_stream;
use crate::config::Settings;
use crate::extract::{Json, Path, Query};
use crate::models::common::{Page, PageData, PageQuery, Success};
use crate::models::conversation::{
    Conversation, ConversationDetail, StatusFilter, CreateConversationRequest, FullConversation,
};
use crate::models::ids::{BranchId, ConversationId};
use crate::services::auth::Caller;
use crate::services::conversations::ConversationService;
use crate::services::generation::Engine;
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorBody};

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_conversations, create_conversation))
        .routes(routes!(read_conversation))
        .routes(routes!(read_full_conversation))
        .routes(routes!(read_running_stream))
}

/// Which conversations a list shows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Those in use, those put away, or both.
    #[serde(default)]
    #[param(inline)]
    status: StatusFilter,
}

/// List conversations, the last changed first
#[utoipa::path(
    get,
    path = "/v1/conversations",
    tag = "conversations",
    params(ListQuery, PageQuery),
    responses(
        (status = 200, description = "One page", body = Success<PageData<Conversation>>),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
async fn list_conversations(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
    page: Page,
) -> Result<Json<Success<PageData<Conversation>>>, ApiError> {
    let (items, total) = conversations.list(caller.user_id, query.status, page).await?;
    Ok(Json(Success::new(PageData::new(items, page, total))))
}

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
async fn create_conversation(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Json(request): Json<CreateConversationRequest>,
) -> Result<Response, ApiError> {
    let made = conversations.create(&caller, request).await?;
    let location = format!("/v1/conversations/{}", made.conversation.id);
    let mut response = (StatusCode::CREATED, Json(Success::new(made))).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
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
async fn read_conversation(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
) -> Result<Json<Success<ConversationDetail>>, ApiError> {
    Ok(Json(Success::new(conversations.read(caller.user_id, id).await?)))
}

/// Which part of a conversation is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FullQuery {
    /// Only the messages on the path of this branch.
    branch_id: Option<BranchId>,
}

/// A conversation with its branches and every message
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/full",
    tag = "conversations",
    params(("id" = ConversationId, Path), FullQuery),
    responses(
        (status = 200, description = "The conversation", body = Success<FullConversation>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
    ),
)]
async fn read_full_conversation(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(query): Query<FullQuery>,
) -> Result<Json<Success<FullConversation>>, ApiError> {
    Ok(Json(Success::new(
        conversations
            .read_full(caller.user_id, id, query.branch_id)
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
async fn read_running_stream(
    State(conversations): State<Arc<ConversationService>>,
    State(engine): State<Engine>,
    State(settings): State<Arc<Settings>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(query): Query<ResumeQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after = event_stream::resume_point(query.after.as_deref(), &headers)?;
    if let Some(reader) = engine.running_in(caller.user_id, id, after) {
        return Ok(event_stream::live(reader, settings.load.sse_keepalive));
    }
    conversations.read(caller.user_id, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
