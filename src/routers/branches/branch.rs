//! One branch, and the list of all.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Json, Path, Query};
use crate::models::branch::{
    Branch, BranchSort, CreateBranchBody, CreateBranchRequest, DeletedBranch, UpdateBranchRequest,
};
use crate::models::common::{Page, PageData, PageQuery, SortOrder, Success};
use crate::models::ids::{BranchId, ConversationId};
use crate::routers::created::created;
use crate::services::auth::Caller;
use crate::services::conversations::{BranchOrder, ConversationService};
use crate::utils::errors::{ApiError, ErrorBody};

/// Which branches a list shows, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Whether merged and abandoned branches are there too. The active branch always is.
    #[serde(default)]
    #[param(default = false)]
    include_inactive: bool,
    /// What it is sorted by; equals by their ids.
    #[serde(default)]
    #[param(inline)]
    sort_by: BranchSort,
    /// Which end comes first. Absent: `asc`.
    #[param(inline)]
    sort_order: Option<SortOrder>,
}

/// List the branches of a conversation, the oldest first
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/branches",
    tag = "branches",
    params(("id" = ConversationId, Path), ListQuery, PageQuery),
    responses(
        (status = 200, description = "One page", body = Success<PageData<Branch>>),
        (status = 404, description = "No such conversation", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn list_branches(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(query): Query<ListQuery>,
    page: Page,
) -> Result<Json<Success<PageData<Branch>>>, ApiError> {
    let order = BranchOrder {
        by: query.sort_by,
        order: query.sort_order.unwrap_or(SortOrder::Asc),
    };
    let (items, total) = conversations
        .branches(caller.user_id, id, query.include_inactive, order, page)
        .await?;
    Ok(Json(Success::new(PageData::new(items, page, total))))
}

/// Fork a branch at a message
///
/// The branch begins and ends at that message; what lies before it is shared, not copied.
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/branches",
    tag = "branches",
    params(("id" = ConversationId, Path)),
    request_body = inline(CreateBranchBody),
    responses(
        (status = 201, description = "The branch; `Location` names it", body = Success<Branch>),
        (status = 404, description = "No such conversation, or no such message in it", body = ErrorBody),
        (status = 409, description = "The conversation has as many branches as allowed", body = ErrorBody),
        (status = 422, description = "A field is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn create_branch(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Json(request): Json<CreateBranchRequest>,
) -> Result<Response, ApiError> {
    let made = conversations.create_branch(caller.user_id, id, request).await?;
    let location = format!("/v1/conversations/{id}/branches/{}", made.id);
    Ok(created(&location, made))
}

/// A branch
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/branches/{branch_id}",
    tag = "branches",
    params(("id" = ConversationId, Path), ("branch_id" = BranchId, Path)),
    responses(
        (status = 200, description = "The branch", body = Success<Branch>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
    ),
)]
pub(super) async fn read_branch(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, branch)): Path<(ConversationId, BranchId)>,
) -> Result<Json<Success<Branch>>, ApiError> {
    let branch = conversations.branch(caller.user_id, id, branch).await?;
    Ok(Json(Success::new(branch)))
}

/// Rename a branch, or say what has become of it
#[utoipa::path(
    patch,
    path = "/v1/conversations/{id}/branches/{branch_id}",
    tag = "branches",
    params(("id" = ConversationId, Path), ("branch_id" = BranchId, Path)),
    request_body = UpdateBranchRequest,
    responses(
        (status = 200, description = "The branch", body = Success<Branch>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
        (status = 422, description = "A field is not valid, or none is given", body = ErrorBody),
    ),
)]
pub(super) async fn update_branch(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, branch)): Path<(ConversationId, BranchId)>,
    Json(request): Json<UpdateBranchRequest>,
) -> Result<Json<Success<Branch>>, ApiError> {
    let changed = conversations
        .update_branch(caller.user_id, id, branch, request)
        .await?;
    Ok(Json(Success::new(changed)))
}

/// Delete a branch
///
/// Messages that no other branch reaches go with it. The main branch and the active one cannot be deleted.
#[utoipa::path(
    delete,
    path = "/v1/conversations/{id}/branches/{branch_id}",
    tag = "branches",
    params(("id" = ConversationId, Path), ("branch_id" = BranchId, Path)),
    responses(
        (status = 200, description = "It is gone", body = Success<DeletedBranch>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
        (status = 409, description = "It is the main branch or the active one, or an answer is being written on it", body = ErrorBody),
    ),
)]
pub(super) async fn delete_branch(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, branch)): Path<(ConversationId, BranchId)>,
) -> Result<Json<Success<DeletedBranch>>, ApiError> {
    let deleted = conversations.delete_branch(caller.user_id, id, branch).await?;
    Ok(Json(Success::new(deleted)))
}

/// Make a branch the active one, where new messages go
///
/// Its status becomes `active`. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/branches/{branch_id}/activate",
    tag = "branches",
    params(("id" = ConversationId, Path), ("branch_id" = BranchId, Path)),
    responses(
        (status = 200, description = "The branch", body = Success<Branch>),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
    ),
)]
pub(super) async fn activate_branch(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, branch)): Path<(ConversationId, BranchId)>,
) -> Result<Json<Success<Branch>>, ApiError> {
    let activated = conversations.activate_branch(caller.user_id, id, branch).await?;
    Ok(Json(Success::new(activated)))
}
