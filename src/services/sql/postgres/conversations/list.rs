//! Lists of conversations: a statement for each order, so that where an index has the order nothing is sorted.

use sqlx::PgConnection;

use super::super::columns::conversation_columns;
use super::super::filter::{self, wanted};
use super::super::search;
use crate::models::common::{Page, SortOrder};
use crate::models::conversation::{Conversation, ConversationSort};
use crate::models::ids::UserId;
use crate::services::conversations::search::SearchQuery;
use crate::services::conversations::{ConversationFilter, ConversationOrder};
use crate::services::sql::records::ConversationRecord;
use crate::services::sql::rows::RowsResult;
use crate::services::sql::values::{count, stored};

/// The wanted conversations, of which those in the list `$9` if there is one.
macro_rules! listed {
    () => {
        concat!(
            " FROM conversations c WHERE ",
            wanted!(),
            " AND ($9::uuid[] IS NULL OR c.id = ANY ($9))"
        )
    };
}

/// The statement for one page in this order.
macro_rules! page_statement {
    ($order:literal) => {
        concat!(
            "SELECT ",
            conversation_columns!(),
            listed!(),
            " ORDER BY ",
            $order,
            " LIMIT $10 OFFSET $11"
        )
    };
}

const COUNT: &str = concat!("SELECT count(*)", listed!());

/// The statement for a page in an order; equals are in the order of their ids, and those without a message are the
/// oldest.
const fn page_statement(order: ConversationOrder) -> &'static str {
    use ConversationSort::{CreatedAt, LastMessageAt, MessageCount, Title, UpdatedAt};
    use SortOrder::{Asc, Desc};
    match (order.by, order.order) {
        (CreatedAt, Asc) => page_statement!("c.created_at, c.id"),
        (CreatedAt, Desc) => page_statement!("c.created_at DESC, c.id DESC"),
        (UpdatedAt, Asc) => page_statement!("c.updated_at, c.id"),
        (UpdatedAt, Desc) => page_statement!("c.updated_at DESC, c.id DESC"),
        (LastMessageAt, Asc) => page_statement!("c.last_message_at NULLS FIRST, c.id"),
        (LastMessageAt, Desc) => page_statement!("c.last_message_at DESC NULLS LAST, c.id DESC"),
        (Title, Asc) => page_statement!("c.search_title, c.id"),
        (Title, Desc) => page_statement!("c.search_title DESC, c.id DESC"),
        (MessageCount, Asc) => page_statement!("c.message_count, c.id"),
        (MessageCount, Desc) => page_statement!("c.message_count DESC, c.id DESC"),
    }
}

/// One page of the user's conversations that pass the filter and match the query, if there is one; and how many
/// there are.
pub(super) async fn page(
    connection: &mut PgConnection,
    user: UserId,
    query: Option<&SearchQuery>,
    filter: &ConversationFilter,
    order: ConversationOrder,
    page: Page,
) -> RowsResult<(Vec<Conversation>, u64)> {
    let matching = match query {
        Some(query) => Some(search::matching_conversations(connection, user, query, filter).await?),
        None => None,
    };
    let (total,): (i64,) = filter::bind(sqlx::query_as(COUNT), user, filter)
        .bind(matching.as_deref())
        .fetch_one(&mut *connection)
        .await?;
    let records: Vec<ConversationRecord> = filter::bind(sqlx::query_as(page_statement(order)), user, filter)
        .bind(matching.as_deref())
        .bind(i64::from(page.limit))
        .bind(stored(page.offset()))
        .fetch_all(connection)
        .await?;
    let items = records
        .into_iter()
        .map(ConversationRecord::into_model)
        .collect::<Result<_, _>>()?;
    Ok((items, count(total)))
}
