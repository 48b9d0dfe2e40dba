//! The user who asks: profile and preferences.

use std::sync::Arc;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::with_scope;
use crate::extract::Json;
use crate::models::common::Success;
use crate::models::scope::Scope;
use crate::models::user::{Preferences, Profile, UpdatePreferencesRequest, UpdateProfileRequest};
use crate::services::auth::Caller;
use crate::services::users::UserService;
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorBody};

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(with_scope(Scope::UsersRead, routes!(read_profile)))
        .routes(with_scope(Scope::UsersWrite, routes!(update_profile)))
        .routes(with_scope(Scope::UsersRead, routes!(read_preferences)))
        .routes(with_scope(Scope::UsersWrite, routes!(update_preferences)))
}

/// Read the user's profile
///
/// Whoever has a valid token has one: it is made when it is first asked for.
#[utoipa::path(
    get,
    path = "/v1/users/me",
    tag = "users",
    responses((status = 200, description = "The profile", body = Success<Profile>)),
)]
async fn read_profile(
    State(users): State<Arc<UserService>>,
    caller: Caller,
) -> Result<Json<Success<Profile>>, ApiError> {
    Ok(Json(Success::new(users.profile(&caller).await?)))
}

/// Change the user's profile
///
/// What is absent stays as it is, null empties. The other fields of the profile cannot be changed, and are refused.
#[utoipa::path(
    patch,
    path = "/v1/users/me",
    tag = "users",
    request_body = UpdateProfileRequest,
    responses(
        (status = 200, description = "The profile", body = Success<Profile>),
        (status = 422, description = "A field is not valid or cannot be changed, or none is given", body = ErrorBody),
    ),
)]
async fn update_profile(
    State(users): State<Arc<UserService>>,
    caller: Caller,
    Json(request): Json<UpdateProfileRequest>,
) -> Result<Json<Success<Profile>>, ApiError> {
    let changed = users.update_profile(&caller, request).await?;
    Ok(Json(Success::new(changed)))
}

/// Read the user's preferences
///
/// Conversation chat goes by them where neither the request nor the conversation says otherwise.
#[utoipa::path(
    get,
    path = "/v1/users/me/preferences",
    tag = "users",
    responses((status = 200, description = "The preferences", body = Success<Preferences>)),
)]
async fn read_preferences(
    State(users): State<Arc<UserService>>,
    caller: Caller,
) -> Result<Json<Success<Preferences>>, ApiError> {
    Ok(Json(Success::new(users.preferences(&caller).await?)))
}

/// Change the user's preferences
///
/// What is absent stays as it is, null is the default again. What the profile has too changes there as well.
#[utoipa::path(
    patch,
    path = "/v1/users/me/preferences",
    tag = "users",
    request_body = UpdatePreferencesRequest,
    responses(
        (status = 200, description = "The preferences", body = Success<Preferences>),
        (status = 422, description = "A field is not valid or unknown, or none is given", body = ErrorBody),
    ),
)]
async fn update_preferences(
    State(users): State<Arc<UserService>>,
    caller: Caller,
    Json(request): Json<UpdatePreferencesRequest>,
) -> Result<Json<Success<Preferences>>, ApiError> {
    let changed = users.update_preferences(&caller, request).await?;
    Ok(Json(Success::new(changed)))
}
