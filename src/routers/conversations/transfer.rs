//! Conversations as files.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Json, LargeJson, Path, Query, RequestContext};
use crate::models::common::Success;
use crate::models::conversation::ImportReport;
use crate::models::ids::{BranchId, ConversationId};
use crate::services::auth::Caller;
use crate::services::conversations::ConversationService;
use crate::services::conversations::transfer::export::ExportFormat;
use crate::utils::errors::{ApiError, ErrorBody};

/// How a conversation is written.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// `json` is complete and imports again to an equal tree; `markdown` is to be read; `csv` has a row for each
    /// message; `jsonl` has a line for each branch, as OpenAI takes them for fine-tuning.
    #[serde(default)]
    #[param(inline)]
    format: ExportFormat,
    /// Only the path of this branch.
    branch_id: Option<BranchId>,
}

/// Download a conversation as a file
///
/// It is written as it is read: a failure in the middle breaks the connection off, so that a file that ends properly is
/// whole.
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/export",
    tag = "conversations",
    params(("id" = ConversationId, Path), ExportQuery),
    responses(
        (status = 200, description = "The file; `Content-Disposition` names it", content(
            (String = "application/json"), (String = "text/markdown"), (String = "text/csv"), (String = "application/jsonl"),
        )),
        (status = 403, description = "Exports are switched off", body = ErrorBody),
        (status = 404, description = "No such conversation or branch", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn export_conversation(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let export = conversations
        .export(caller.user_id, id, query.format, query.branch_id)
        .await?;
    let content_disposition =
        HeaderValue::from_str(&export.content_disposition).map_err(ApiError::internal)?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(export.content_type),
        ),
        (header::CONTENT_DISPOSITION, content_disposition),
    ];
    Ok((headers, Body::from_stream(export.pieces)).into_response())
}

/// Import conversations from a file
///
/// The body is an export of this service (`format=json`), a `conversations.json` of `ChatGPT`, one conversation of either, or
/// an array of them, of at most `MAX_IMPORT_BYTES` (256 MiB). Each becomes a copy with new ids; importing the same one
/// again gives that copy what it does not have, and never changes the original. What is wrong with one conversation is
/// told in its result and leaves the others imported. A file that is no JSON changes nothing.
#[utoipa::path(
    post,
    path = "/v1/conversations/import",
    tag = "conversations",
    request_body(content = Object, content_type = "application/json", description = "The file"),
    responses(
        (status = 201, description = "What became of each, even if all failed", body = Success<ImportReport>),
        (status = 400, description = "The file is no JSON, or ended before it was complete", body = ErrorBody),
        (status = 413, description = "The file is too large", body = ErrorBody),
        (status = 415, description = "The body is not declared as JSON", body = ErrorBody),
        (status = 422, description = "The file holds no conversation, or more than 100,000", body = ErrorBody),
        (status = 429, description = "Two imports of yours are in work already", body = ErrorBody),
        (status = 503, description = "Too many imports at once, or the store failed: send the file again, nothing is doubled", body = ErrorBody),
        (status = 504, description = "No byte came for 30 seconds, or it took more than an hour", body = ErrorBody),
    ),
)]
pub(super) async fn import_conversations(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    about: RequestContext,
    LargeJson(file): LargeJson,
) -> Result<(StatusCode, Json<Success<ImportReport>>), ApiError> {
    let report = conversations.import(&caller, file, &about.id.0).await?;
    Ok((StatusCode::CREATED, Json(Success::new(report))))
}
