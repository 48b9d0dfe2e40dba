//! What a query finds in PostgreSQL.
//!
//! The index of terms knows which words are in a text, and which belong to whom; that tokens stand next to each other is
//! looked up in the texts that it finds, when they are found. A GIN index has no order, so that the newest texts with a word that many have
//! would be found by reading all of them; therefore its terms also begin with the part of the table that the text is in,
//! and `candidates` asks for one part after the other, the newest first, until enough was found. Within one conversation
//! the texts are looked at without the index.
//!
//! The statements are planned anew each time (`persistent(false)`), since there is much or little to be joined.

mod candidates;

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection};

use self::candidates::Candidates;
use super::PostgresRows;
use super::filter::{self, wanted};
use super::values::millis;
use crate::models::ids::{ConversationId, UserId};
use crate::models::message::Role;
use crate::services::conversations::search::{Hit, MAX_HITS, SearchQuery};
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

/// The newest matching texts `t` of conversations `c` of the user `$1`, among the candidates `$10`: in their order, since no
/// index has that, and could seem to be a way to the newest.
macro_rules! newest_texts {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM unnest($10::bigint[]) candidate (number)
             JOIN message_texts t ON t.number = candidate.number
             JOIN conversations c ON c.id = t.conversation_id
             WHERE ",
            wanted!(),
            " ORDER BY candidate.number DESC LIMIT $11"
        )
    };
}

const MATCHING_TITLES: &str = concat!(
    "SELECT c.id FROM conversations c WHERE ",
    wanted!(),
    " AND ",
    holds_all!("c.search_title", "$9")
);

/// Of so many messages, though several may be in one conversation. (`$9` is not used: the binding is that of [`HITS`].)
const MATCHING: &str = concat!(
    "SELECT newest.id FROM (",
    newest_texts!("c.id"),
    ") newest WHERE $9::text[] IS NOT NULL"
);

const TITLES: &str = concat!(
    "SELECT c.id AS conversation_id, NULL::uuid AS message_id, ",
    occurrences!("c.search_title", "$9"),
    " AS occurrences, length(c.search_title)::bigint AS length, c.updated_at AS at FROM conversations c WHERE ",
    wanted!(),
    " AND ",
    holds_all!("c.search_title", "$9")
);

const HITS: &str = concat!(
    "SELECT conversation_id, message_id, ",
    occurrences!("hit.text", "$9"),
    " AS occurrences, length(text)::bigint AS length, created_at AS at FROM (",
    newest_texts!("t.conversation_id, t.message_id, t.created_at, t.text"),
    ") hit"
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
        let titles: Vec<HitRecord> = filter::bind(sqlx::query_as(TITLES), user, filter)
            .bind(query.needles())
            .fetch_all(self.connection())
            .await?;
        let messages: Vec<HitRecord> = newest(self.connection(), HITS, user, query, filter).await?;
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
    let mut ids: Vec<(ConversationId,)> = filter::bind(sqlx::query_as(MATCHING_TITLES), user, filter)
        .bind(query.needles())
        .fetch_all(&mut *connection)
        .await?;
    let in_messages: Vec<(ConversationId,)> = newest(connection, MATCHING, user, query, filter).await?;
    ids.extend(in_messages);
    let ids: HashSet<ConversationId> = ids.into_iter().map(|(id,)| id).collect();
    Ok(ids.into_iter().collect())
}

/// What a statement tells of the newest messages that match, at most [`MAX_HITS`] of them, among the newest
/// [`MAX_CANDIDATES`](crate::services::conversations::search::MAX_CANDIDATES) that have the terms.
async fn newest<R>(
    connection: &mut PgConnection,
    statement: &'static str,
    user: UserId,
    query: &SearchQuery,
    filter: &ConversationFilter,
) -> Result<Vec<R>, DatabaseError>
where
    R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let needles = query.needles();
    let mut candidates = Candidates::new(user, query);
    let mut found = Vec::new();
    while found.len() < MAX_HITS as usize {
        let Some(numbers) = candidates.next(connection).await? else {
            break;
        };
        let matching: Vec<R> = filter::bind(sqlx::query_as(statement), user, filter)
            .bind(&needles)
            .bind(numbers)
            .bind(i64::from(MAX_HITS) - found.len() as i64)
            .fetch_all(&mut *connection)
            .await?;
        found.extend(matching);
    }
    Ok(found)
}
