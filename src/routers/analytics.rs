//! What the user used.

use std::sync::Arc;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::with_scope;
use crate::extract::{Json, Query};
use crate::models::analytics::{Dashboard, DashboardQuery, Usage, UsageQuery};
use crate::models::common::Success;
use crate::models::scope::Scope;
use crate::services::analytics::AnalyticsService;
use crate::services::auth::Caller;
use crate::services::users::UserService;
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorBody};

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(with_scope(Scope::UsersRead, routes!(read_usage)))
        .routes(with_scope(Scope::UsersRead, routes!(read_dashboard)))
}

/// Read what the user used
///
/// By day, hour or model; days and hours in which nothing was used are there too. All that models were asked for counts, in
/// conversations and for OpenAI's clients.
#[utoipa::path(
    get,
    path = "/v1/users/me/usage",
    tag = "users",
    params(UsageQuery),
    responses(
        (status = 200, description = "The usage", body = Success<Usage>),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
async fn read_usage(
    State(users): State<Arc<UserService>>,
    State(analytics): State<Arc<AnalyticsService>>,
    caller: Caller,
    Query(query): Query<UsageQuery>,
) -> Result<Json<Success<Usage>>, ApiError> {
    let zone = users.timezone(&caller, query.timezone.as_deref()).await?;
    let model = query.model.as_deref();
    let usage = analytics.usage(caller.user_id, query.period, model, query.group_by, zone);
    Ok(Json(Success::new(usage.await?)))
}

/// Read the user's dashboard
///
/// Tokens and costs of each day, shares of models, when the user asks, what else is used, and days in a row.
#[utoipa::path(
    get,
    path = "/v1/users/me/analytics/dashboard",
    tag = "users",
    params(DashboardQuery),
    responses(
        (status = 200, description = "The dashboard", body = Success<Dashboard>),
        (status = 403, description = "Analytics are switched off", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
async fn read_dashboard(
    State(users): State<Arc<UserService>>,
    State(analytics): State<Arc<AnalyticsService>>,
    caller: Caller,
    Query(query): Query<DashboardQuery>,
) -> Result<Json<Success<Dashboard>>, ApiError> {
    let zone = users.timezone(&caller, query.timezone.as_deref()).await?;
    let dashboard = analytics.dashboard(caller.user_id, query.period, zone).await?;
    Ok(Json(Success::new(dashboard)))
}
