//! What a query finds in SQLite.
//!
//! The full-text index knows which words are in a text, and which belong to whom; that tokens stand next to each other
//! is looked up in the texts that it finds. Within one conversation the texts are looked at without the index.

use std::ops::DerefMut;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::SqliteRows;
use super::filter::{self, wanted};
use super::values::{millis, stored, to_json};
use crate::models::ids::{ConversationId, UserId};
use crate::models::message::Role;
use crate::services::conversations::search::{Hit, MAX_CANDIDATES, MAX_HITS, SearchQuery, user_key};
use crate::services::conversations::{ConversationFilter, MessageFilter};
use crate::services::sql::records::HitRecord;
use crate::services::sql::rows::{RowsResult, SearchRows};
use crate::utils::database::DatabaseError;

/// The condition that everything in a JSON array of texts is in another, at the ends of which tokens end too.
macro_rules! holds_all {
    ($text:literal, $needles:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM json_each(",
            $needles,
            ") needle WHERE instr(' ' || ",
            $text,
            " || ' ', needle.value) = 0)"
        )
    };
}

/// The same for an array that is not empty. The first is looked for at once: that rules out most texts, for each of which
/// the array would have to be read.
macro_rules! holds_first_and_all {
    ($text:literal, $needles:literal) => {
        concat!(
            "instr(' ' || ",
            $text,
            " || ' ', ",
            $needles,
            " ->> 0) > 0 AND ",
            holds_all!($text, $needles)
        )
    };
}

/// How often what a JSON array of texts holds is in another.
macro_rules! occurrences {
    ($text:literal, $needles:literal) => {
        concat!(
            "(SELECT sum((length(' ' || ",
            $text,
            " || ' ') - length(replace(' ' || ",
            $text,
            " || ' ', needle.value, ''))) / length(needle.value)) FROM json_each(",
            $needles,
            ") needle)"
        )
    };
}

/// The newest matching texts `t` of conversations `c`, among the newest candidates that the index has. All joins go from
/// the candidates to what belongs to them, and so keep their order: sorting what comes out would go through all of them,
/// however soon there are enough.
macro_rules! newest_texts {
    ($columns:literal, $wanted:expr, $terms:literal, $phrases:literal, $candidates:literal, $limit:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (
                 SELECT rowid AS number FROM message_search WHERE message_search MATCH ",
            $terms,
            "    ORDER BY rowid DESC LIMIT ",
            $candidates,
            ") candidate
             CROSS JOIN message_texts t ON t.number = candidate.number
             CROSS JOIN conversations c ON c.id = t.conversation_id
             WHERE ",
            $wanted,
            " AND ",
            holds_all!("t.text", $phrases),
            " LIMIT ",
            $limit
        )
    };
}

statements! {
    MATCHING = concat!(
        "SELECT c.id FROM conversations c WHERE ",
        wanted!("(?2 IS NULL OR c.status = ?2)"),
        " AND ",
        holds_first_and_all!("c.search_title", "?9"),
        " UNION SELECT newest.id FROM (",
        newest_texts!("c.id", wanted!("(?2 IS NULL OR c.status = ?2)"), "?10", "?11", "?12", "?13"),
        ") newest"
    );
    TITLES = concat!(
        "SELECT c.id AS conversation_id, NULL AS message_id, ",
        occurrences!("c.search_title", "?9"),
        " AS occurrences, length(c.search_title) AS length, c.updated_at AS at FROM conversations c WHERE ",
        wanted!("(?2 IS NULL OR c.status = ?2)"),
        " AND ",
        holds_first_and_all!("c.search_title", "?9")
    );
    MESSAGES = concat!(
        "SELECT m.conversation_id, m.id AS message_id, ",
        occurrences!("hit.text", "?9"),
        " AS occurrences, length(hit.text) AS length, m.created_at AS at FROM (",
        newest_texts!("t.number, t.text", wanted!("(?2 IS NULL OR c.status = ?2)"), "?10", "?11", "?12", "?13"),
        ") hit CROSS JOIN messages m ON m.number = hit.number"
    );
    IN_CONVERSATION = concat!(
        "WITH RECURSIVE path (number, parent_id) AS (
             SELECT m.number, m.parent_id FROM branches b JOIN messages m ON m.id = b.head_message_id
             WHERE b.id = ?4 AND b.conversation_id = ?1
             UNION ALL
             SELECT m.number, m.parent_id FROM path JOIN messages m ON m.id = path.parent_id
         )
         SELECT m.conversation_id, m.id AS message_id, ",
        occurrences!("t.text", "?9"),
        " AS occurrences, length(t.text) AS length, m.created_at AS at
         FROM message_texts t CROSS JOIN messages m ON m.number = t.number
         WHERE t.conversation_id = ?1 AND (?4 IS NULL OR t.number IN (SELECT number FROM path))
           AND (?2 IS NULL OR m.role = ?2) AND (?3 IS NULL OR m.model = ?3)
           AND (?5 IS NULL OR m.created_at >= ?5) AND (?6 IS NULL OR m.created_at < ?6)
           AND (?7 IS NULL OR m.total_tokens >= ?7) AND (?8 IS NULL OR m.total_tokens <= ?8)
           AND ",
        holds_first_and_all!("t.text", "?9"),
        " ORDER BY t.number DESC LIMIT ?10"
    );
}

#[async_trait]
impl<C> SearchRows for SqliteRows<C>
where
    C: DerefMut<Target = SqliteConnection> + Send,
{
    async fn conversation_hits(
        &mut self,
        user: UserId,
        query: &SearchQuery,
        filter: &ConversationFilter,
    ) -> RowsResult<Vec<Hit>> {
        let needles = to_json(&query.needles())?;
        let mut records: Vec<HitRecord> = filter::bind(sqlx::query_as(TITLES), user, filter)
            .bind(&needles)
            .fetch_all(self.connection())
            .await?;
        let messages: Vec<HitRecord> = filter::bind(sqlx::query_as(MESSAGES), user, filter)
            .bind(&needles)
            .bind(query.fts5(&user_key(user)))
            .bind(to_json(&query.phrases())?)
            .bind(MAX_CANDIDATES)
            .bind(MAX_HITS)
            .fetch_all(self.connection())
            .await?;
        records.extend(messages);
        Ok(records.into_iter().map(Hit::from).collect())
    }

    async fn message_hits(
        &mut self,
        conversation: ConversationId,
        query: &SearchQuery,
        filter: MessageFilter<'_>,
    ) -> RowsResult<Vec<Hit>> {
        let records: Vec<HitRecord> = sqlx::query_as(IN_CONVERSATION)
            .bind(conversation)
            .bind(filter.role.map(Role::as_str))
            .bind(filter.model)
            .bind(filter.branch)
            .bind(filter.created_after.map(millis))
            .bind(filter.created_before.map(millis))
            .bind(filter.min_tokens.map(stored))
            .bind(filter.max_tokens.map(stored))
            .bind(to_json(&query.needles())?)
            .bind(MAX_HITS)
            .fetch_all(self.connection())
            .await?;
        Ok(records.into_iter().map(Hit::from).collect())
    }
}

/// The wanted conversations that match in their title, or in one of the newest messages that do.
pub(super) async fn matching_conversations(
    connection: &mut SqliteConnection,
    user: UserId,
    query: &SearchQuery,
    filter: &ConversationFilter,
) -> Result<Vec<ConversationId>, DatabaseError> {
    let rows: Vec<(ConversationId,)> = filter::bind(sqlx::query_as(MATCHING), user, filter)
        .bind(to_json(&query.needles())?)
        .bind(query.fts5(&user_key(user)))
        .bind(to_json(&query.phrases())?)
        .bind(MAX_CANDIDATES)
        .bind(MAX_HITS)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
