//! What a query finds in PostgreSQL.
//!
//! The index of terms knows which words are in a text, and which belong to whom; that tokens stand next to each other is
//! looked up in the texts that it finds. Within one conversation the texts are looked at without the index.
//!
//! The statements are planned anew each time (`persistent(false)`): a rare word is best found by the index, one that
//! most messages have by walking back through the newest.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::PostgresRows;
use super::filter::{self, wanted};
use super::values::millis;
use crate::models::ids::{ConversationId, UserId};
use crate::models::message::Role;
use crate::services::conversations::search::{
    Hit, MAX_CANDIDATES, MAX_HITS, SearchQuery, Tsqueries, user_key,
};
use crate::services::conversations::{ConversationFilter, MessageFilter};
use crate::services::sql::records::HitRecord;
use crate::services::sql::rows::{RowsResult, SearchRows};
use crate::services::sql::values::stored;
use crate::utils::database::DatabaseError;

/// The condition that everything in an array of texts is in another, at the border of which tokens end too.
macro_rules! holds_all {
    ($text:literal, $needles:literal) => {
        concat!(
            "NOT EXISTS (SELECT FROM unnest(",
            $needles,
            "::text[]) needle WHERE strpos(' ' || ",
            $text,
            " || ' ', needle) = 0)"
        )
    };
}

/// How often what an array of texts holds is in another.
macro_rules! occurrences {
    ($text:literal, $needles:literal) => {
        concat!(
            "(SELECT sum((length(' ' || ",
            $text,
            " || ' ') - length(replace(' ' || ",
            $text,
            " || ' ', needle, ''))) / length(needle))::bigint FROM unnest(",
            $needles,
            "::text[]) needle)"
        )
    };
}

/// The newest matching texts `t` of the user `$1`, of conversations `c`, among the newest candidates that have the terms.
/// What is sorted to find those is their numbers: with their texts, sorting would take files. `ts_match_vq` is `@@` by
/// the name that no index is used for.
macro_rules! newest_texts {
    ($columns:literal, $wanted:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (
                 SELECT number FROM message_texts
                 WHERE user_id = $1 AND terms @@ $10::tsquery
                   AND ($11::tsquery IS NULL OR ts_match_vq(terms, $11::tsquery))
                 ORDER BY number DESC LIMIT $13
             ) candidate
             JOIN message_texts t ON t.number = candidate.number
             JOIN conversations c ON c.id = t.conversation_id
             WHERE ",
            $wanted,
            " AND ",
            holds_all!("t.text", "$12"),
            " ORDER BY t.number DESC LIMIT $14"
        )
    };
}

const MATCHING: &str = concat!(
    "SELECT c.id FROM conversations c WHERE ",
    wanted!(),
    " AND ",
    holds_all!("c.search_title", "$9"),
    " UNION SELECT id FROM (",
    newest_texts!("c.id", wanted!()),
    ") newest"
);

const TITLES: &str = concat!(
    "SELECT c.id AS conversation_id, NULL::uuid AS message_id, ",
    occurrences!("c.search_title", "$9"),
    " AS occurrences, length(c.search_title)::bigint AS length, c.updated_at AS at FROM conversations c WHERE ",
    wanted!(),
    " AND ",
    holds_all!("c.search_title", "$9")
);

const MESSAGES: &str = concat!(
    "SELECT m.conversation_id, m.id AS message_id, ",
    occurrences!("hit.text", "$9"),
    " AS occurrences, length(hit.text)::bigint AS length, m.created_at AS at FROM (",
    newest_texts!("t.number, t.text", wanted!()),
    ") hit JOIN messages m ON m.number = hit.number"
);

const IN_CONVERSATION: &str = concat!(
    "WITH RECURSIVE path (number, parent_id) AS (
         SELECT m.number, m.parent_id FROM branches b JOIN messages m ON m.id = b.head_message_id
         WHERE b.id = $4 AND b.conversation_id = $1
         UNION ALL
         SELECT m.number, m.parent_id FROM path JOIN messages m ON m.id = path.parent_id
     ), hit AS (
         SELECT m.number, m.conversation_id, m.id, t.text, m.created_at
         FROM message_texts t JOIN messages m ON m.number = t.number
         WHERE t.conversation_id = $1 AND ($4::uuid IS NULL OR t.number IN (SELECT number FROM path))
           AND ($2::text IS NULL OR m.role = $2) AND ($3::text IS NULL OR m.model = $3)
           AND ($5::timestamptz IS NULL OR m.created_at >= $5) AND ($6::timestamptz IS NULL OR m.created_at < $6)
           AND ($7::bigint IS NULL OR m.total_tokens >= $7) AND ($8::bigint IS NULL OR m.total_tokens <= $8)
           AND ",
    holds_all!("t.text", "$9"),
    "    ORDER BY t.number DESC LIMIT $10
     )
     SELECT conversation_id, id AS message_id, ",
    occurrences!("hit.text", "$9"),
    " AS occurrences, length(text)::bigint AS length, created_at AS at FROM hit"
);

#[async_trait]
impl SearchRows for PostgresRows {
    async fn conversation_hits(
        &mut self,
        user: UserId,
        query: &SearchQuery,
        filter: &ConversationFilter,
    ) -> RowsResult<Vec<Hit>> {
        let needles = query.needles();
        let titles: Vec<HitRecord> = filter::bind(sqlx::query_as(TITLES), user, filter)
            .bind(&needles)
            .fetch_all(self.connection())
            .await?;
        let Tsqueries { index, rows } = query.tsqueries(&user_key(user));
        let messages: Vec<HitRecord> = filter::bind(sqlx::query_as(MESSAGES), user, filter)
            .bind(&needles)
            .bind(index)
            .bind(rows)
            .bind(query.phrases())
            .bind(i64::from(MAX_CANDIDATES))
            .bind(i64::from(MAX_HITS))
            .fetch_all(self.connection())
            .await?;
        Ok(titles.into_iter().chain(messages).map(Hit::from).collect())
    }

    async fn message_hits(
        &mut self,
        conversation: ConversationId,
        query: &SearchQuery,
        filter: MessageFilter<'_>,
    ) -> RowsResult<Vec<Hit>> {
        let records: Vec<HitRecord> = sqlx::query_as(IN_CONVERSATION)
            .persistent(false)
            .bind(conversation)
            .bind(filter.role.map(Role::as_str))
            .bind(filter.model)
            .bind(filter.branch)
            .bind(filter.created_after.map(millis))
            .bind(filter.created_before.map(millis))
            .bind(filter.min_tokens.map(stored))
            .bind(filter.max_tokens.map(stored))
            .bind(query.needles())
            .bind(i64::from(MAX_HITS))
            .fetch_all(self.connection())
            .await?;
        Ok(records.into_iter().map(Hit::from).collect())
    }
}

/// The wanted conversations that match in their title, or in one of the newest messages that do.
pub(super) async fn matching_conversations(
    connection: &mut PgConnection,
    user: UserId,
    query: &SearchQuery,
    filter: &ConversationFilter,
) -> Result<Vec<ConversationId>, DatabaseError> {
    let Tsqueries { index, rows } = query.tsqueries(&user_key(user));
    let ids: Vec<(ConversationId,)> = filter::bind(sqlx::query_as(MATCHING), user, filter)
        .bind(query.needles())
        .bind(index)
        .bind(rows)
        .bind(query.phrases())
        .bind(i64::from(MAX_CANDIDATES))
        .bind(i64::from(MAX_HITS))
        .fetch_all(connection)
        .await?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}
