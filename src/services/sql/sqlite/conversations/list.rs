//! Lists of conversations: a statement for each order, so that where an index has the order nothing is sorted.

use sqlx::SqliteConnection;

use super::super::filter::{self, wanted};
use super::super::search;
use super::super::values::{count, id_list, stored};
use crate::models::common::{Page, SortOrder};
use crate::models::conversation::{Conversation, ConversationSort};
use crate::models::ids::UserId;
use crate::services::conversations::search::SearchQuery;
use crate::services::conversations::{ConversationFilter, ConversationOrder};
use crate::services::sql::records::ConversationRecord;
use crate::services::sql::rows::RowsResult;

/// Begins a statement on the wanted conversations, of which those in the list `?9` if there is one.
macro_rules! listed {
    ($columns:literal, $status:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM conversations c WHERE ",
            wanted!($status),
            " AND (?9 IS NULL OR c.id IN (SELECT unhex(value) FROM json_each(?9)))"
        )
    };
}

/// The statement for one page in this order; equals are in the order of their ids. What is NULL is less than all
/// else, as `last_message_at` has to be.
macro_rules! page_statement {
    ($status:literal, $order:expr) => {
        page_statement!($status, $order, [
            CreatedAt "created_at",
            UpdatedAt "updated_at",
            LastMessageAt "last_message_at",
            Title "search_title",
            MessageCount "message_count",
        ])
    };
    ($status:literal, $order:expr, [$($sort:ident $column:literal,)+]) => {
        match ($order.by, $order.order) {$(
            (ConversationSort::$sort, SortOrder::Asc) => concat!(
                listed!("c.*", $status), " ORDER BY c.", $column, ", c.id LIMIT ?10 OFFSET ?11"
            ),
            (ConversationSort::$sort, SortOrder::Desc) => concat!(
                listed!("c.*", $status), " ORDER BY c.", $column, " DESC, c.id DESC LIMIT ?10 OFFSET ?11"
            ),
        )+}
    };
}

/// The statements for the count of a list, and for a page of it.
fn statements(has_status: bool, order: ConversationOrder) -> (&'static str, &'static str) {
    if has_status {
        (
            listed!("count(*)", "c.status = ?2"),
            page_statement!("c.status = ?2", order),
        )
    } else {
        (
            listed!("count(*)", "?2 IS NULL"),
            page_statement!("?2 IS NULL", order),
        )
    }
}

/// One page of the user's conversations that pass the filter and match the query, if there is one; and how many
/// there are.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    user: UserId,
    query: Option<&SearchQuery>,
    filter: &ConversationFilter,
    order: ConversationOrder,
    page: Page,
) -> RowsResult<(Vec<Conversation>, u64)> {
    let matching = match query {
        Some(query) => {
            let ids = search::matching_conversations(connection, user, query, filter).await?;
            Some(id_list(ids.iter().map(|id| id.0)))
        }
        None => None,
    };
    let (total_of, page_of) = statements(filter::status(filter.status).is_some(), order);
    let (total,): (i64,) = filter::bind(sqlx::query_as(total_of), user, filter)
        .bind(matching.as_deref())
        .fetch_one(&mut *connection)
        .await?;
    let records: Vec<ConversationRecord> = filter::bind(sqlx::query_as(page_of), user, filter)
        .bind(matching.as_deref())
        .bind(page.limit)
        .bind(stored(page.offset()))
        .fetch_all(connection)
        .await?;
    let items = records
        .into_iter()
        .map(ConversationRecord::into_model)
        .collect::<Result<_, _>>()?;
    Ok((items, count(total)))
}

/// Every statement that a list may take.
#[cfg(test)]
pub(in super::super) fn all_statements() -> Vec<&'static str> {
    let sorts = [
        ConversationSort::CreatedAt,
        ConversationSort::UpdatedAt,
        ConversationSort::LastMessageAt,
        ConversationSort::Title,
        ConversationSort::MessageCount,
    ];
    let orders = sorts
        .into_iter()
        .flat_map(|by| [SortOrder::Asc, SortOrder::Desc].map(|order| ConversationOrder { by, order }));
    let choices = orders.flat_map(|order| [true, false].map(|has_status| statements(has_status, order)));
    choices
        .flat_map(|(total_of, page_of)| [total_of, page_of])
        .collect()
}
