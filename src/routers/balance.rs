//! What a user may spend, and how that came about.

use std::sync::Arc;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::with_scope;
use crate::extract::Json;
use crate::models::balance::{Balance, BalanceEntry};
use crate::models::common::{Page, PageData, PageQuery, Success};
use crate::models::scope::Scope;
use crate::services::auth::Caller;
use crate::services::billing::Billing;
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorBody};

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(with_scope(Scope::UsersRead, routes!(read_balance)))
        .routes(with_scope(Scope::UsersRead, routes!(list_balance_entries)))
}

/// Read the balance
///
/// What may be spent, was spent, and is held back for answers that are being written. Amounts are US dollars, exact to the
/// ninth decimal.
#[utoipa::path(
    get,
    path = "/v1/users/me/balance",
    tag = "users",
    responses(
        (status = 200, description = "The balance", body = Success<Balance>),
        (status = 503, description = "The store cannot be reached", body = ErrorBody),
    ),
)]
async fn read_balance(
    State(billing): State<Arc<Billing>>,
    caller: Caller,
) -> Result<Json<Success<Balance>>, ApiError> {
    Ok(Json(Success::new(billing.balance(caller.user_id).await?)))
}

/// List what changed the balance
///
/// Charges, credits and refunds, the newest first.
#[utoipa::path(
    get,
    path = "/v1/users/me/balance/history",
    tag = "users",
    params(PageQuery),
    responses(
        (status = 200, description = "The entries", body = Success<PageData<BalanceEntry>>),
        (status = 422, description = "The page is not valid", body = ErrorBody),
        (status = 503, description = "The store cannot be reached", body = ErrorBody),
    ),
)]
async fn list_balance_entries(
    State(billing): State<Arc<Billing>>,
    caller: Caller,
    page: Page,
) -> Result<Json<Success<PageData<BalanceEntry>>>, ApiError> {
    let (entries, total) = billing.history(caller.user_id, page).await?;
    Ok(Json(Success::new(PageData::new(entries, page, total))))
}
