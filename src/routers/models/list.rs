//! Lists of models, and what they amount to.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::query::{Capabilities, ListQuery};
use crate::extract::{Json, PageLimits, Query};
use crate::models::common::{PageQuery, Success};
use crate::models::model::{Capability, ModelList, ProviderSummary, RefreshReport, SearchResults};
use crate::services::auth::Caller;
use crate::services::catalog::Catalog;
use crate::utils::errors::{ApiError, ErrorBody};

/// List models
///
/// All that pass the filters, on one page: OpenAI's SDKs read it as their list of models. What is not known of a model
/// does not pass a filter that asks for it. The list is read from the model server in the background; while that fails, the
/// last one is shown, and `metadata.stale` says so.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "models",
    params(
        ListQuery,
        (
            "capability" = Option<Vec<Capability>>,
            Query,
            description = "Those that can do this; given several times, or several with commas between them, all of it.",
        ),
    ),
    responses(
        (status = 200, description = "The models", body = ModelList),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
        (status = 503, description = "The model server could not be read yet", body = ErrorBody),
    ),
)]
pub(super) async fn list_models(
    State(catalog): State<Arc<Catalog>>,
    _caller: Caller,
    Query(query): Query<ListQuery>,
    capabilities: Capabilities,
) -> Result<Json<ModelList>, ApiError> {
    let (filter, order) = query.into_parts(capabilities);
    Ok(Json(catalog.list(&filter, order).await?))
}

/// What each provider has
#[utoipa::path(
    get,
    path = "/v1/models/providers",
    tag = "models",
    responses((status = 200, description = "The providers, by their names", body = Success<Vec<ProviderSummary>>)),
)]
pub(super) async fn list_providers(
    State(catalog): State<Arc<Catalog>>,
    _caller: Caller,
) -> Result<Json<Success<Vec<ProviderSummary>>>, ApiError> {
    Ok(Json(Success::new(catalog.providers().await?)))
}

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchQuery {
    /// 1 to 200 characters. Any text is only that: there is no syntax.
    #[param(min_length = 1, max_length = 200, example = "gpt mini")]
    q: String,
    /// Most models in the answer: 1 to `MAX_PAGE_SIZE` (100), else `DEFAULT_PAGE_SIZE` (20).
    #[param(minimum = 1)]
    limit: Option<u32>,
}

/// Search models, the best first
///
/// All words have to be found, in any order and case: in the id or the name, as the provider, or as a capability.
#[utoipa::path(
    get,
    path = "/v1/models/search",
    tag = "models",
    params(SearchQuery),
    responses(
        (status = 200, description = "The models", body = SearchResults),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn search_models(
    State(catalog): State<Arc<Catalog>>,
    State(limits): State<PageLimits>,
    _caller: Caller,
    Query(query): Query<SearchQuery>,
) -> Result<Json<SearchResults>, ApiError> {
    let page = limits.page(PageQuery {
        page: None,
        limit: query.limit,
    })?;
    Ok(Json(catalog.search(&query.q, page.limit).await?))
}

/// Read the model server's list again, now
///
/// What is answered was read after this request came. Requests that come together have one reading. If it fails, what was
/// known before stays.
#[utoipa::path(
    post,
    path = "/v1/models/refresh",
    tag = "models",
    responses(
        (status = 200, description = "What has changed", body = Success<RefreshReport>),
        (status = 502, description = "The model server failed", body = ErrorBody),
        (status = 503, description = "The model server cannot be reached", body = ErrorBody),
        (status = 504, description = "The model server took too long", body = ErrorBody),
    ),
)]
pub(super) async fn refresh_models(
    State(catalog): State<Arc<Catalog>>,
    _caller: Caller,
) -> Result<Json<Success<RefreshReport>>, ApiError> {
    Ok(Json(Success::new(catalog.refresh().await?)))
}
