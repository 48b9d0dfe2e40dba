//! Which conversations of a user are wanted: the same condition for lists, counts and searches.
//!
//! A condition that is not given is NULL, and looks at no column. That keeps the statements static; and since SQLite
//! reads a row only once a column of it is needed, such a condition costs next to nothing.

use sqlx::Sqlite;
use sqlx::query::QueryAs;
use sqlx::sqlite::SqliteArguments;

use super::values::{millis, stored};
use crate::models::conversation::{ConversationStatus, StatusFilter};
use crate::models::ids::UserId;
use crate::services::conversations::ConversationFilter;

/// The condition that conversation `c` is the user's and passes the filter, whose values are `?1` to `?8`. How the
/// status (`?2`) is compared is up to the statement: only an equation can use an index.
macro_rules! wanted {
    ($status:literal) => {
        concat!(
            "c.user_id = ?1 AND ",
            $status,
            " AND (?3 IS NULL OR c.model = ?3)
             AND (?4 IS NULL OR c.created_at >= ?4) AND (?5 IS NULL OR c.created_at < ?5)
             AND (?6 IS NULL OR (c.branch_count > 1) = ?6)
             AND (?7 IS NULL OR c.message_count >= ?7) AND (?8 IS NULL OR c.message_count <= ?8)"
        )
    };
}
pub(super) use wanted;

/// A query whose values are being bound.
pub(super) type Binding<'q, O> = QueryAs<'q, Sqlite, O, SqliteArguments>;

/// Binds `?1` to `?8`.
pub(super) fn bind<'q, O>(
    query: Binding<'q, O>,
    user: UserId,
    filter: &'q ConversationFilter,
) -> Binding<'q, O> {
    query
        .bind(user)
        .bind(status(filter.status))
        .bind(filter.model.as_deref())
        .bind(filter.created_after.map(millis))
        .bind(filter.created_before.map(millis))
        .bind(filter.has_branches)
        .bind(filter.min_messages.map(stored))
        .bind(filter.max_messages.map(stored))
}

/// The stored status, if the filter asks for one.
pub(super) const fn status(filter: StatusFilter) -> Option<&'static str> {
    match filter {
        StatusFilter::Active => Some(ConversationStatus::Active.as_str()),
        StatusFilter::Archived => Some(ConversationStatus::Archived.as_str()),
        StatusFilter::All => None,
    }
}
