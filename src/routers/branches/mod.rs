//! Branches of a conversation.
//!
//! - `branch`: one of them, and the list
//! - `merge`: one into another
//! - `path`: the messages on a branch, and its figures

mod branch;
mod merge;
mod path;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(branch::list_branches, branch::create_branch))
        .routes(routes!(
            branch::read_branch,
            branch::update_branch,
            branch::delete_branch
        ))
        .routes(routes!(branch::activate_branch))
        .routes(routes!(path::list_branch_messages))
        .routes(routes!(path::read_branch_stats))
        .routes(routes!(merge::merge_branch))
}
