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

use crate::state::AppState;

/// The routes. `/search` wins over `/{message_id}`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_messages, message::create_message))
        .routes(routes!(list::search_messages))
        .routes(routes!(
            message::read_message,
            message::edit_message,
            message::delete_message
        ))
        .routes(routes!(regenerate::regenerate_message))
}
