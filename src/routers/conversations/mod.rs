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

use super::access::with_scope;
use crate::models::scope::Scope;
use crate::state::AppState;

/// The routes. `/search`, `/stats`, `/batch` and `/import` win over `/{id}`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(list::list_conversations),
        ))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(conversation::create_conversation),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(list::search_conversations),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(list::read_conversation_stats),
        ))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(batch::change_conversations),
        ))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(transfer::import_conversations),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(conversation::read_conversation),
        ))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(
                conversation::update_conversation,
                conversation::delete_conversation
            ),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(conversation::read_full_conversation),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(conversation::read_running_stream),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(transfer::export_conversation),
        ))
}
