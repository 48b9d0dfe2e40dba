//! Merging.

use std::sync::Arc;

use axum::extract::State;

use crate::extract::{Json, Path};
use crate::models::branch::{MergeBranchRequest, MergeResult};
use crate::models::common::Success;
use crate::models::ids::{BranchId, ConversationId};
use crate::services::auth::Caller;
use crate::services::conversations::ConversationService;
use crate::utils::errors::{ApiError, ErrorBody};

/// Merge a branch into another
///
/// If the target ends where both paths part, its head moves to the source's head. Otherwise `append` copies what the
/// source has after that place to the end of the target, in order, each copy with a new id and
/// `metadata.merged_from`; `fast_forward` refuses. Merging again brings over only what is new. The source becomes
/// `merged`, or is deleted. All of it happens, or nothing.
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/branches/{branch_id}/merge",
    tag = "branches",
    params(("id" = ConversationId, Path), ("branch_id" = BranchId, Path, description = "The branch that is merged")),
    request_body = Option<MergeBranchRequest>,
    responses(
        (status = 200, description = "What was done, or with `dry_run` would be", body = Success<MergeResult>),
        (status = 403, description = "Merging is switched off", body = ErrorBody),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
        (status = 409, description = "Both are the same branch, the head is not the expected one, there is no fast-forward, the main branch would be deleted, a limit is reached, or an answer is being written on either", body = ErrorBody),
        (status = 422, description = "A field is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn merge_branch(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, source)): Path<(ConversationId, BranchId)>,
    body: Option<Json<MergeBranchRequest>>,
) -> Result<Json<Success<MergeResult>>, ApiError> {
    let result = conversations
        .merge_branch(caller.user_id, id, source, &Json::or_default(body))
        .await?;
    Ok(Json(Success::new(result)))
}
