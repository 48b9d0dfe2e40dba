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

use super::access::with_scope;
use crate::models::scope::Scope;
use crate::state::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(branch::list_branches),
        ))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(branch::create_branch),
        ))
        .routes(with_scope(Scope::ConversationsRead, routes!(branch::read_branch)))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(branch::update_branch, branch::delete_branch),
        ))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(branch::activate_branch),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(path::list_branch_messages),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(path::read_branch_stats),
        ))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(merge::merge_branch),
        ))
}
