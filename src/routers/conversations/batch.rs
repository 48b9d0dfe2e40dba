//! Many conversations at once.

use std::sync::Arc;

use axum::extract::State;

use crate::extract::{Json, RequestContext};
use crate::models::common::Success;
use crate::models::conversation::{BatchReport, BatchRequest};
use crate::services::auth::Caller;
use crate::services::conversations::ConversationService;
use crate::utils::errors::{ApiError, ErrorBody};

/// Archive, unarchive, delete or change many conversations
///
/// Each is done for itself, in the order given: what fails is told in its result and leaves the others done. What is no
/// id, or no conversation of the user, fails alone. `update` changes each as PATCH does with the same body.
#[utoipa::path(
    post,
    path = "/v1/conversations/batch",
    tag = "conversations",
    request_body = BatchRequest,
    responses(
        (status = 200, description = "What became of each", body = Success<BatchReport>),
        (status = 403, description = "Batches are switched off", body = ErrorBody),
        (status = 422, description = "A field is not valid; nothing was done", body = ErrorBody),
    ),
)]
pub(super) async fn change_conversations(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    about: RequestContext,
    Json(request): Json<BatchRequest>,
) -> Result<Json<Success<BatchReport>>, ApiError> {
    let report = conversations.batch(caller.user_id, request, &about.id.0).await?;
    Ok(Json(Success::new(report)))
}
