//! Messages of a conversation.
//!
//! - `list`: paths and searches
//! - `message`: one of them
//! - `regenerate`: answering one anew

mod list;
mod message;
mod regenerate;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::with_scope;
use crate::models::scope::Scope;
use crate::state::AppState;

/// The routes. `/search` wins over `/{message_id}`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(with_scope(Scope::ConversationsRead, routes!(list::list_messages)))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(message::create_message),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(list::search_messages),
        ))
        .routes(with_scope(
            Scope::ConversationsRead,
            routes!(message::read_message),
        ))
        .routes(with_scope(
            Scope::ConversationsWrite,
            routes!(message::edit_message, message::delete_message),
        ))
        .routes(with_scope(Scope::Chat, routes!(regenerate::regenerate_message)))
}
