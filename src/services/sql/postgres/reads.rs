//! Messages in PostgreSQL as they are shown.

use async_trait::async_trait;

use super::PostgresRows;
use super::columns::{ShownMessageRecord, shown_message_columns};
use crate::models::common::{Page, SortOrder};
use crate::models::ids::{ConversationId, MessageId};
use crate::models::message::{Message, Role};
use crate::services::conversations::MessageCursor;
use crate::services::sql::records::FiguresRecord;
use crate::services::sql::rows::{Figures, MessageReads, RowsResult};
use crate::services::sql::values::{count, stored};

/// The statement that shows the messages `m` of a source.
macro_rules! shown {
    ($source:literal) => {
        concat!("SELECT ", shown_message_columns!(), " ", $source)
    };
}

/// Begins a statement with the path that ends at the message `$1`.
macro_rules! with_path {
    ($statement:expr) => {
        concat!(
            "WITH RECURSIVE path (number, parent_id, role) AS (
                 SELECT number, parent_id, role FROM messages WHERE id = $1
                 UNION ALL
                 SELECT m.number, m.parent_id, m.role FROM path JOIN messages m ON m.id = path.parent_id
             ) ",
            $statement
        )
    };
}

const ALL: &str = shown!("FROM messages m WHERE m.conversation_id = $1 ORDER BY m.number");

const AFTER: &str =
    shown!("FROM messages m WHERE m.conversation_id = $1 AND m.number > $2 ORDER BY m.number LIMIT $3");

const PATH_END: &str = concat!(
    "WITH RECURSIVE path (id, parent_id, place) AS (
         SELECT id, parent_id, 1 FROM messages WHERE id = $1 AND coalesce($2, 1) > 0
         UNION ALL
         SELECT m.id, m.parent_id, place + 1 FROM path JOIN messages m ON m.id = path.parent_id
         WHERE $2 IS NULL OR place < $2
     ) ",
    shown!("FROM path JOIN messages m ON m.id = path.id ORDER BY place DESC")
);

/// As far by the pointer as it does not lead past the depth, else one step.
const ANCESTOR: &str = "WITH RECURSIVE up (id, parent_id, depth, jump_id, jump_depth) AS (
         SELECT id, parent_id, depth, jump_id, jump_depth FROM messages WHERE id = $1
         UNION ALL
         SELECT m.id, m.parent_id, m.depth, m.jump_id, m.jump_depth
         FROM up JOIN messages m ON m.id = CASE WHEN up.jump_depth >= $2 THEN up.jump_id ELSE up.parent_id END
         WHERE up.depth > $2
     )
     SELECT id FROM up WHERE depth = $2";

const COUNT_OF_ROLE: &str = with_path!("SELECT count(*) FROM path WHERE role = $2");

const FIRST_OF_ROLE: &str = with_path!(shown!(
    "FROM (SELECT number FROM path WHERE role = $2 ORDER BY number LIMIT $3 OFFSET $4) page
     JOIN messages m ON m.number = page.number ORDER BY page.number"
));

const LAST_OF_ROLE: &str = with_path!(shown!(
    "FROM (SELECT number FROM path WHERE role = $2 ORDER BY number DESC LIMIT $3 OFFSET $4) page
     JOIN messages m ON m.number = page.number ORDER BY page.number DESC"
));

const FOLLOWING: &str =
    shown!("FROM messages m WHERE m.parent_id = $2 AND m.conversation_id = $1 ORDER BY m.number");

const ROOTS: &str =
    shown!("FROM messages m WHERE m.parent_id IS NULL AND m.conversation_id = $1 ORDER BY m.number");

const SOME: &str = shown!("FROM messages m WHERE m.id = ANY ($1)");

const TEXTS: &str = "SELECT id, content FROM messages WHERE id = ANY ($1)";

const FIGURES: &str = with_path!(
    "SELECT m.role, m.model, coalesce(m.prompt_tokens, 0) AS prompt_tokens,
         coalesce(m.completion_tokens, 0) AS completion_tokens, coalesce(m.cost, 0) AS cost, m.latency_ms,
         m.created_at
     FROM path JOIN messages m ON m.number = path.number ORDER BY path.number"
);

#[async_trait]
impl MessageReads for PostgresRows {
    async fn all_messages(&mut self, conversation: ConversationId) -> RowsResult<Vec<Message>> {
        let records = sqlx::query_as(ALL)
            .bind(conversation)
            .fetch_all(self.connection())
            .await?;
        models(records)
    }

    async fn messages_after(
        &mut self,
        conversation: ConversationId,
        after: MessageCursor,
        limit: u32,
    ) -> RowsResult<(Vec<Message>, MessageCursor)> {
        let records: Vec<ShownMessageRecord> = sqlx::query_as(AFTER)
            .bind(conversation)
            .bind(after.0)
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        let last = records
            .last()
            .map_or(after, |last| MessageCursor(last.message.number));
        Ok((models(records)?, last))
    }

    async fn path_end(&mut self, last: Option<MessageId>, limit: Option<u32>) -> RowsResult<Vec<Message>> {
        let records = sqlx::query_as(PATH_END)
            .bind(last)
            .bind(limit.map(i64::from))
            .fetch_all(self.connection())
            .await?;
        models(records)
    }

    async fn ancestor_at(&mut self, id: MessageId, depth: i64) -> RowsResult<Option<MessageId>> {
        Ok(sqlx::query_scalar(ANCESTOR)
            .bind(id)
            .bind(depth)
            .fetch_optional(self.connection())
            .await?)
    }

    async fn path_of_role(
        &mut self,
        head: Option<MessageId>,
        role: Role,
        order: SortOrder,
        page: Page,
    ) -> RowsResult<(Vec<Message>, u64)> {
        let total = sqlx::query_scalar(COUNT_OF_ROLE)
            .bind(head)
            .bind(role.as_str())
            .fetch_one(self.connection())
            .await?;
        let statement = match order {
            SortOrder::Asc => FIRST_OF_ROLE,
            SortOrder::Desc => LAST_OF_ROLE,
        };
        let records = sqlx::query_as(statement)
            .bind(head)
            .bind(role.as_str())
            .bind(i64::from(page.limit))
            .bind(stored(page.offset()))
            .fetch_all(self.connection())
            .await?;
        Ok((models(records)?, count(total)))
    }

    async fn children(
        &mut self,
        conversation: ConversationId,
        parent: Option<MessageId>,
    ) -> RowsResult<Vec<Message>> {
        let query = match parent {
            Some(parent) => sqlx::query_as(FOLLOWING).bind(conversation).bind(parent),
            None => sqlx::query_as(ROOTS).bind(conversation),
        };
        models(query.fetch_all(self.connection()).await?)
    }

    async fn messages_by_id(&mut self, ids: &[MessageId]) -> RowsResult<Vec<Message>> {
        let records = sqlx::query_as(SOME)
            .bind(ids)
            .fetch_all(self.connection())
            .await?;
        models(records)
    }

    async fn texts(&mut self, ids: &[MessageId]) -> RowsResult<Vec<(MessageId, String)>> {
        Ok(sqlx::query_as(TEXTS)
            .bind(ids)
            .fetch_all(self.connection())
            .await?)
    }

    async fn figures(&mut self, head: Option<MessageId>) -> RowsResult<Vec<Figures>> {
        let records: Vec<FiguresRecord> = sqlx::query_as(FIGURES)
            .bind(head)
            .fetch_all(self.connection())
            .await?;
        records.into_iter().map(FiguresRecord::into_figures).collect()
    }
}

fn models(records: Vec<ShownMessageRecord>) -> RowsResult<Vec<Message>> {
    records.into_iter().map(ShownMessageRecord::into_model).collect()
}
