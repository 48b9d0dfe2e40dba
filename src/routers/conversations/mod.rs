//! Conversations.
//!
//! - `list`: lists, searches, statistics
//! - `conversation`: one of them
//! - `batch`: many at once
//! - `transfer`: as files

mod batch;
mod conversation;
mod list;
mod transfer;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

/// The routes. `/search`, `/stats`, `/batch` and `/import` win over `/{id}`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            list::list_conversations,
            conversation::create_conversation
        ))
        .routes(routes!(list::search_conversations))
        .routes(routes!(list::read_conversation_stats))
        .routes(routes!(batch::change_conversations))
        .routes(routes!(transfer::import_conversations))
        .routes(routes!(
            conversation::read_conversation,
            conversation::update_conversation,
            conversation::delete_conversation
        ))
        .routes(routes!(conversation::read_full_conversation))
        .routes(routes!(conversation::read_running_stream))
        .routes(routes!(transfer::export_conversation))
}
