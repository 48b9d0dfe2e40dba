//! Everything about a user: to be taken along, and to be erased.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::signed_in_only;
use crate::extract::{Json, Query};
use crate::models::common::Success;
use crate::models::privacy::ErasedCounts;
use crate::services::auth::Caller;
use crate::services::privacy::{Erasure, UserDataExport};
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorBody};

/// What has to be said for everything to be erased.
const CONFIRMATION: &str = "DELETE";

/// The routes. A key must not carry everything away, nor erase it.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(signed_in_only(routes!(export_user)))
        .routes(signed_in_only(routes!(erase_user)))
}

/// Download everything that is kept about the user
///
/// One JSON document: `profile`, `preferences`, `balance`, `api_keys` (as lists show them, without secrets),
/// `balance_entries`, `usage_events`, `feature_uses`, and `conversations`, each as its own export has it, so that these can be imported again. It is written as
/// it is read, page by page: what is written meanwhile may be in it or not. A failure in the middle breaks the connection
/// off, so that a document that ends properly is whole.
#[utoipa::path(
    get,
    path = "/v1/users/me/export",
    tag = "users",
    responses(
        (status = 200, description = "The document; `Content-Disposition` names it",
            content((Object = "application/json"))),
        (status = 403, description = "Exports are switched off", body = ErrorBody),
        (status = 503, description = "The store cannot be reached", body = ErrorBody),
    ),
)]
async fn export_user(
    State(export): State<Arc<UserDataExport>>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let file = export.export(&caller).await?;
    let content_disposition = HeaderValue::from_str(&file.content_disposition).map_err(ApiError::internal)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_DISPOSITION, content_disposition),
    ];
    Ok((headers, Body::from_stream(file.pieces)).into_response())
}

/// How an erasure is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EraseQuery {
    /// `DELETE`.
    confirmation: Option<String>,
}

/// Erase everything that is kept about the user
///
/// Profile, account, conversations, API keys, usage, and all copies. Running answers are stopped first. What was used stays as
/// nobody's, by day and model; a tombstone stays (a hash of the user's id, what was spent of which budget, and whether the
/// account is suspended), so that coming back is no fresh budget. It goes on if the connection breaks; an erasure that failed
/// can be repeated. It cannot be undone.
#[utoipa::path(
    delete,
    path = "/v1/users/me",
    tag = "users",
    params(EraseQuery),
    responses(
        (status = 200, description = "What was erased", body = Success<ErasedCounts>),
        (status = 409, description = "Something is still being written", body = ErrorBody),
        (status = 422, description = "It is not confirmed", body = ErrorBody),
        (status = 503, description = "The store cannot be reached; repeat it", body = ErrorBody),
    ),
)]
async fn erase_user(
    State(erasure): State<Erasure>,
    caller: Caller,
    Query(query): Query<EraseQuery>,
) -> Result<Json<Success<ErasedCounts>>, ApiError> {
    if query.confirmation.as_deref() != Some(CONFIRMATION) {
        return Err(ApiError::invalid_field("confirmation", "must be `DELETE`"));
    }
    Ok(Json(Success::new(erasure.erase(caller.user_id).await?)))
}
