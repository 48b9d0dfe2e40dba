//! Lists of messages.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Json, PageLimits, Path, Query};
use crate::models::common::{Page, PageData, PageQuery, Success};
use crate::models::ids::{BranchId, ConversationId};
use crate::models::message::{Message, MessageHit, SearchMessagesRequest};
use crate::routers::path_query::MessagesQuery;
use crate::services::auth::Caller;
use crate::services::conversations::ConversationService;
use crate::utils::errors::{ApiError, ErrorBody};

/// Whose path is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct BranchQuery {
    /// Absent: the conversation's active branch.
    branch_id: Option<BranchId>,
}

/// The messages on the path of a branch, from the root to the head
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/messages",
    tag = "messages",
    params(("id" = ConversationId, Path), BranchQuery, MessagesQuery, PageQuery),
    responses(
        (status = 200, description = "One page", body = Success<PageData<Message>>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn list_messages(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(branch): Query<BranchQuery>,
    Query(query): Query<MessagesQuery>,
    page: Page,
) -> Result<Json<Success<PageData<Message>>>, ApiError> {
    let (items, total) = conversations
        .path(caller.user_id, id, query.of(branch.branch_id), page)
        .await?;
    Ok(Json(Success::new(PageData::new(items, page, total))))
}

/// Search the messages of a conversation, the best first
///
/// On all branches, unless one is named. Texts match as in `/v1/conversations/search`. `page` and `limit` may be in the
/// body or in the query.
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/messages/search",
    tag = "messages",
    params(("id" = ConversationId, Path), PageQuery),
    request_body = SearchMessagesRequest,
    responses(
        (status = 200, description = "One page", body = Success<PageData<MessageHit>>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
        (status = 422, description = "A field is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn search_messages(
    State(conversations): State<Arc<ConversationService>>,
    State(limits): State<PageLimits>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(query): Query<PageQuery>,
    Json(request): Json<SearchMessagesRequest>,
) -> Result<Json<Success<PageData<MessageHit>>>, ApiError> {
    let page = limits.page(request.page_or(query))?;
    let (items, total) = conversations
        .search_messages(caller.user_id, id, &request, page)
        .await?;
    Ok(Json(Success::new(PageData::new(items, page, total))))
}
