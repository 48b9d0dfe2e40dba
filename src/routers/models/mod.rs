//! Models.
//!
//! - `list`: lists, searches, summaries, and reading the model server again
//! - `model`: one of them, or several side by side
//! - `query`: what the list's query may hold

mod list;
mod model;
mod query;

use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{undocumented, with_scope};
use crate::models::scope::Scope;
use crate::state::AppState;

/// The routes. `/providers`, `/search`, `/compare` and `/refresh` win over `/{model_id}`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(with_scope(Scope::ModelsRead, routes!(list::list_models)))
        .routes(with_scope(Scope::ModelsRead, routes!(list::list_providers)))
        .routes(with_scope(Scope::ModelsRead, routes!(list::search_models)))
        .routes(with_scope(Scope::ModelsRead, routes!(list::refresh_models)))
        .routes(with_scope(Scope::ModelsRead, routes!(model::compare_models)))
        .routes(with_scope(Scope::ModelsRead, routes!(model::read_model)))
        // The same again for ids whose slashes are not encoded. OpenAPI has no words for such a path.
        .route(
            "/v1/models/{host}/{*name}",
            undocumented(Scope::ModelsRead, get(model::read_model_by_parts)),
        )
}
