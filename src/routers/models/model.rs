//! One model, and several side by side.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Json, Path, Query};
use crate::models::common::Success;
use crate::models::model::{Comparison, ModelAnswer};
use crate::services::auth::Caller;
use crate::services::catalog::Catalog;
use crate::utils::errors::{ApiError, ErrorBody};

/// Read a model
///
/// Ids with slashes (`openai/gpt-4o`) may be written as they are, or with `%2F`. An id that one of the model server's
/// patterns covers is a model, too; `metadata.wildcard` then names the pattern.
#[utoipa::path(
    get,
    path = "/v1/models/{model_id}",
    tag = "models",
    params(("model_id" = String, Path, description = "Its id, at most 200 characters", example = "gpt-4o-mini")),
    responses(
        (status = 200, description = "The model", body = ModelAnswer),
        (status = 404, description = "There is no such model", body = ErrorBody),
        (status = 422, description = "The id is too long", body = ErrorBody),
    ),
)]
pub(super) async fn read_model(
    State(catalog): State<Arc<Catalog>>,
    _caller: Caller,
    Path(model_id): Path<String>,
) -> Result<Json<ModelAnswer>, ApiError> {
    Ok(Json(catalog.model(&model_id).await?.into()))
}

/// The same for an id that the path has in two parts.
pub(super) async fn read_model_by_parts(
    State(catalog): State<Arc<Catalog>>,
    _caller: Caller,
    Path((host, name)): Path<(String, String)>,
) -> Result<Json<ModelAnswer>, ApiError> {
    Ok(Json(catalog.model(&format!("{host}/{name}")).await?.into()))
}

/// Which models are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CompareQuery {
    /// The ids of 2 to 10 models, with commas between them.
    #[param(example = "gpt-4o,gpt-4o-mini")]
    model_ids: String,
}

/// Compare models
///
/// Their properties side by side, which of them is the cheapest, the largest and the most capable, and what a reference chat
/// costs with each: `reference_chat` says how many tokens it has.
#[utoipa::path(
    get,
    path = "/v1/models/compare",
    tag = "models",
    params(CompareQuery),
    responses(
        (status = 200, description = "The comparison", body = Success<Comparison>),
        (status = 404, description = "Some do not exist: `details.model_ids` names them", body = ErrorBody),
        (status = 422, description = "Not 2 to 10 different ids", body = ErrorBody),
    ),
)]
pub(super) async fn compare_models(
    State(catalog): State<Arc<Catalog>>,
    _caller: Caller,
    Query(query): Query<CompareQuery>,
) -> Result<Json<Success<Comparison>>, ApiError> {
    let ids = query.model_ids.split(',').map(|id| id.trim().to_owned());
    let ids: Vec<_> = ids.filter(|id| !id.is_empty()).collect();
    Ok(Json(Success::new(catalog.compare(&ids).await?)))
}
