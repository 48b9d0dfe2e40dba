//! What is on a branch.

use std::sync::Arc;

use axum::extract::State;

use crate::extract::{Json, Path, Query};
use crate::models::branch::BranchStats;
use crate::models::common::{Page, PageData, PageQuery, Success};
use crate::models::ids::{BranchId, ConversationId};
use crate::models::message::Message;
use crate::routers::path_query::MessagesQuery;
use crate::services::auth::Caller;
use crate::services::conversations::ConversationService;
use crate::utils::errors::{ApiError, ErrorBody};

/// The messages on the path of a branch, from the root to the head
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/branches/{branch_id}/messages",
    tag = "branches",
    params(("id" = ConversationId, Path), ("branch_id" = BranchId, Path), MessagesQuery, PageQuery),
    responses(
        (status = 200, description = "One page", body = Success<PageData<Message>>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn list_branch_messages(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, branch)): Path<(ConversationId, BranchId)>,
    Query(query): Query<MessagesQuery>,
    page: Page,
) -> Result<Json<Success<PageData<Message>>>, ApiError> {
    let (items, total) = conversations
        .path(caller.user_id, id, query.of(Some(branch)), page)
        .await?;
    Ok(Json(Success::new(PageData::new(items, page, total))))
}

/// What is on a branch, in figures
///
/// Of the whole path from the root to the head.
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/branches/{branch_id}/stats",
    tag = "branches",
    params(("id" = ConversationId, Path), ("branch_id" = BranchId, Path)),
    responses(
        (status = 200, description = "The figures", body = Success<BranchStats>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
    ),
)]
pub(super) async fn read_branch_stats(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, branch)): Path<(ConversationId, BranchId)>,
) -> Result<Json<Success<BranchStats>>, ApiError> {
    let stats = conversations.branch_stats(caller.user_id, id, branch).await?;
    Ok(Json(Success::new(stats)))
}
