//! A user's API keys.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{signed_in_only, with_scope};
use crate::extract::{Json, Path};
use crate::models::api_key::{
    ApiKey, CreateApiKeyRequest, CreatedApiKey, DeletedApiKey, UpdateApiKeyRequest,
};
use crate::models::common::{Page, PageData, PageQuery, Success};
use crate::models::ids::ApiKeyId;
use crate::models::scope::Scope;
use crate::services::api_keys::ApiKeyService;
use crate::services::auth::Caller;
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorBody};

/// The routes. What an API key may be used for cannot be widened by the key itself.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(with_scope(Scope::UsersRead, routes!(list_api_keys)))
        .routes(signed_in_only(routes!(create_api_key)))
        .routes(signed_in_only(routes!(update_api_key, delete_api_key)))
}

/// List the user's API keys, the oldest first
///
/// Without their secrets, and without those that were revoked.
#[utoipa::path(
    get,
    path = "/v1/users/me/api-keys",
    tag = "users",
    params(PageQuery),
    responses(
        (status = 200, description = "One page", body = Success<PageData<ApiKey>>),
        (status = 403, description = "API keys are switched off", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
async fn list_api_keys(
    State(api_keys): State<Arc<ApiKeyService>>,
    caller: Caller,
    page: Page,
) -> Result<Json<Success<PageData<ApiKey>>>, ApiError> {
    let (items, total) = api_keys.list(caller.user_id, page).await?;
    Ok(Json(Success::new(PageData::new(items, page, total))))
}

/// Make an API key
///
/// The answer holds the whole key, this once: only a hash of it is stored. A user has at most 50 keys.
#[utoipa::path(
    post,
    path = "/v1/users/me/api-keys",
    tag = "users",
    request_body = CreateApiKeyRequest,
    responses(
        (status = 201, description = "The key, whole", body = Success<CreatedApiKey>),
        (status = 403, description = "API keys are switched off", body = ErrorBody),
        (status = 409, description = "The user has as many keys as allowed", body = ErrorBody),
        (status = 422, description = "A field is not valid", body = ErrorBody),
    ),
)]
async fn create_api_key(
    State(api_keys): State<Arc<ApiKeyService>>,
    caller: Caller,
    Json(request): Json<CreateApiKeyRequest>,
) -> Result<Response, ApiError> {
    let made = api_keys.create(&caller, request).await?;
    Ok((StatusCode::CREATED, Json(Success::new(made))).into_response())
}

/// Change an API key
///
/// What is absent stays as it is. A change holds in all instances within five seconds.
#[utoipa::path(
    patch,
    path = "/v1/users/me/api-keys/{key_id}",
    tag = "users",
    params(("key_id" = ApiKeyId, Path)),
    request_body = UpdateApiKeyRequest,
    responses(
        (status = 200, description = "The key", body = Success<ApiKey>),
        (status = 403, description = "API keys are switched off", body = ErrorBody),
        (status = 404, description = "No such key", body = ErrorBody),
        (status = 422, description = "A field is not valid, or none is given", body = ErrorBody),
    ),
)]
async fn update_api_key(
    State(api_keys): State<Arc<ApiKeyService>>,
    caller: Caller,
    Path(key_id): Path<ApiKeyId>,
    Json(request): Json<UpdateApiKeyRequest>,
) -> Result<Json<Success<ApiKey>>, ApiError> {
    let changed = api_keys.update(caller.user_id, key_id, request).await?;
    Ok(Json(Success::new(changed)))
}

/// Revoke an API key
///
/// For good: at once where it is asked for, in all other instances within five seconds.
#[utoipa::path(
    delete,
    path = "/v1/users/me/api-keys/{key_id}",
    tag = "users",
    params(("key_id" = ApiKeyId, Path)),
    responses(
        (status = 200, description = "It works no more", body = Success<DeletedApiKey>),
        (status = 403, description = "API keys are switched off", body = ErrorBody),
        (status = 404, description = "No such key", body = ErrorBody),
    ),
)]
async fn delete_api_key(
    State(api_keys): State<Arc<ApiKeyService>>,
    caller: Caller,
    Path(key_id): Path<ApiKeyId>,
) -> Result<Json<Success<DeletedApiKey>>, ApiError> {
    let deleted = api_keys.revoke(caller.user_id, key_id).await?;
    Ok(Json(Success::new(deleted)))
}
