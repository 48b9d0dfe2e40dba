//! Which conversations of a user are wanted: the same condition for lists, counts and searches.
//!
//! A condition that is not given is NULL. The statements stay static, and are planned anew each time
//! (`persistent(false)`), so that the planner sees which conditions there are and what for.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;

use super::values::millis;
use crate::models::conversation::{ConversationStatus, StatusFilter};
use crate::models::ids::UserId;
use crate::services::conversations::ConversationFilter;
use crate::services::sql::values::stored;

/// The condition that conversation `c` is the user's and passes the filter, whose values are `$1` to `$8`.
macro_rules! wanted {
    () => {
        "c.user_id = $1 AND ($2::text IS NULL OR c.status = $2) AND ($3::text IS NULL OR c.model = $3)
         AND ($4::timestamptz IS NULL OR c.created_at >= $4) AND ($5::timestamptz IS NULL OR c.created_at < $5)
         AND ($6::boolean IS NULL OR (c.branch_count > 1) = $6)
         AND ($7::bigint IS NULL OR c.message_count >= $7) AND ($8::bigint IS NULL OR c.message_count <= $8)"
    };
}
pub(super) use wanted;

/// A query whose values are being bound.
pub(super) type Binding<'q, O> = QueryAs<'q, Postgres, O, PgArguments>;

/// Binds `$1` to `$8`.
pub(super) fn bind<'q, O>(
    query: Binding<'q, O>,
    user: UserId,
    filter: &'q ConversationFilter,
) -> Binding<'q, O> {
    query
        .persistent(false)
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
const fn status(filter: StatusFilter) -> Option<&'static str> {
    match filter {
        StatusFilter::Active => Some(ConversationStatus::Active.as_str()),
        StatusFilter::Archived => Some(ConversationStatus::Archived.as_str()),
        StatusFilter::All => None,
    }
}
