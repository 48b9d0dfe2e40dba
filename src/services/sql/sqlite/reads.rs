//! Messages in SQLite as they are shown.

use std::collections::HashMap;
use std::ops::DerefMut;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::SqliteRows;
use super::values::{count, id_list, stored};
use crate::models::common::{Page, SortOrder};
use crate::models::ids::{ConversationId, MessageId};
use crate::models::message::{Message, Role};
use crate::services::conversations::MessageCursor;
use crate::services::sql::records::{FiguresRecord, MessageRecord};
use crate::services::sql::rows::{Figures, MessageReads, RowsResult};
use crate::utils::database::DatabaseError;

/// What SQLite takes for no limit.
const NO_LIMIT: i64 = -1;

/// Begins a statement with the path that ends at the message `?1`.
macro_rules! with_path {
    ($statement:literal) => {
        concat!(
            "WITH RECURSIVE path (number, parent_id, role) AS (
                 SELECT number, parent_id, role FROM messages WHERE id = ?1
                 UNION ALL
                 SELECT m.number, m.parent_id, m.role FROM path JOIN messages m ON m.id = path.parent_id
             ) ",
            $statement
        )
    };
}

statements! {
    ALL = "SELECT * FROM messages WHERE conversation_id = ?1 ORDER BY number";
    AFTER = "SELECT * FROM messages WHERE conversation_id = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
    PATH_END = "WITH RECURSIVE path (number, parent_id) AS (
         SELECT number, parent_id FROM messages WHERE id = ?1
         UNION ALL
         SELECT m.number, m.parent_id FROM path JOIN messages m ON m.id = path.parent_id
         LIMIT ?2
     )
     SELECT m.* FROM path JOIN messages m ON m.number = path.number ORDER BY path.number";
    // As far by the pointer as it does not lead past the depth, else one step.
    ANCESTOR = "WITH RECURSIVE up (id, parent_id, depth, jump_id, jump_depth) AS (
         SELECT id, parent_id, depth, jump_id, jump_depth FROM messages WHERE id = ?1
         UNION ALL
         SELECT m.id, m.parent_id, m.depth, m.jump_id, m.jump_depth
         FROM up JOIN messages m ON m.id = CASE WHEN up.jump_depth >= ?2 THEN up.jump_id ELSE up.parent_id END
         WHERE up.depth > ?2
     )
     SELECT id FROM up WHERE depth = ?2";
    COUNT_OF_ROLE = with_path!("SELECT count(*) FROM path WHERE role = ?2");
    FIRST_OF_ROLE = with_path!(
        "SELECT m.* FROM (SELECT number FROM path WHERE role = ?2 ORDER BY number LIMIT ?3 OFFSET ?4) page
         JOIN messages m ON m.number = page.number ORDER BY page.number"
    );
    LAST_OF_ROLE = with_path!(
        "SELECT m.* FROM (SELECT number FROM path WHERE role = ?2 ORDER BY number DESC LIMIT ?3 OFFSET ?4) page
         JOIN messages m ON m.number = page.number ORDER BY page.number DESC"
    );
    FOLLOWING = "SELECT * FROM messages WHERE parent_id IS ?2 AND conversation_id = ?1 ORDER BY number";
    SOME = "SELECT * FROM messages WHERE id IN (SELECT unhex(value) FROM json_each(?1))";
    TEXTS = "SELECT id, content FROM messages WHERE id IN (SELECT unhex(value) FROM json_each(?1))";
    FIGURES = with_path!(
        "SELECT m.role, m.model, coalesce(m.prompt_tokens, 0) AS prompt_tokens,
             coalesce(m.completion_tokens, 0) AS completion_tokens, coalesce(m.cost, 0) AS cost, m.latency_ms,
             m.created_at
         FROM path JOIN messages m ON m.number = path.number ORDER BY path.number"
    );
    CHILDREN = "SELECT parent_id, id FROM messages WHERE parent_id IN (SELECT unhex(value) FROM json_each(?1))
     ORDER BY number";
}

#[async_trait]
impl<C> MessageReads for SqliteRows<C>
where
    C: DerefMut<Target = SqliteConnection> + Send,
{
    async fn all_messages(&mut self, conversation: ConversationId) -> RowsResult<Vec<Message>> {
        let records = sqlx::query_as(ALL)
            .bind(conversation)
            .fetch_all(self.connection())
            .await?;
        shown(self.connection(), records).await
    }

    async fn messages_after(
        &mut self,
        conversation: ConversationId,
        after: MessageCursor,
        limit: u32,
    ) -> RowsResult<(Vec<Message>, MessageCursor)> {
        let records: Vec<MessageRecord> = sqlx::query_as(AFTER)
            .bind(conversation)
            .bind(after.0)
            .bind(limit)
            .fetch_all(self.connection())
            .await?;
        let last = records.last().map_or(after, |last| MessageCursor(last.number));
        Ok((shown(self.connection(), records).await?, last))
    }

    async fn path_end(&mut self, last: Option<MessageId>, limit: Option<u32>) -> RowsResult<Vec<Message>> {
        let records = sqlx::query_as(PATH_END)
            .bind(last)
            .bind(limit.map_or(NO_LIMIT, i64::from))
            .fetch_all(self.connection())
            .await?;
        shown(self.connection(), records).await
    }

    async fn ancestor_at(&mut self, id: MessageId, depth: i64) -> RowsResult<Option<MessageId>> {
        let row: Option<(MessageId,)> = sqlx::query_as(ANCESTOR)
            .bind(id)
            .bind(depth)
            .fetch_optional(self.connection())
            .await?;
        Ok(row.map(|(id,)| id))
    }

    async fn path_of_role(
        &mut self,
        head: Option<MessageId>,
        role: Role,
        order: SortOrder,
        page: Page,
    ) -> RowsResult<(Vec<Message>, u64)> {
        let (total,): (i64,) = sqlx::query_as(COUNT_OF_ROLE)
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
            .bind(page.limit)
            .bind(stored(page.offset()))
            .fetch_all(self.connection())
            .await?;
        Ok((shown(self.connection(), records).await?, count(total)))
    }

    async fn children(
        &mut self,
        conversation: ConversationId,
        parent: Option<MessageId>,
    ) -> RowsResult<Vec<Message>> {
        let records = sqlx::query_as(FOLLOWING)
            .bind(conversation)
            .bind(parent)
            .fetch_all(self.connection())
            .await?;
        shown(self.connection(), records).await
    }

    async fn messages_by_id(&mut self, ids: &[MessageId]) -> RowsResult<Vec<Message>> {
        let records = sqlx::query_as(SOME)
            .bind(id_list(ids.iter().map(|id| id.0)))
            .fetch_all(self.connection())
            .await?;
        shown(self.connection(), records).await
    }

    async fn texts(&mut self, ids: &[MessageId]) -> RowsResult<Vec<(MessageId, String)>> {
        Ok(sqlx::query_as(TEXTS)
            .bind(id_list(ids.iter().map(|id| id.0)))
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

/// Messages with the ids of their children, which take one statement for all of them.
async fn shown(
    connection: &mut SqliteConnection,
    records: Vec<MessageRecord>,
) -> Result<Vec<Message>, DatabaseError> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let edges: Vec<(MessageId, MessageId)> = sqlx::query_as(CHILDREN)
        .bind(id_list(records.iter().map(|record| record.id.0)))
        .fetch_all(connection)
        .await?;
    let mut children: HashMap<_, Vec<_>> = HashMap::with_capacity(edges.len());
    for (parent, child) in edges {
        children.entry(parent).or_default().push(child);
    }
    records
        .into_iter()
        .map(|record| {
            let children = children.remove(&record.id).unwrap_or_default();
            record.into_model(children)
        })
        .collect()
}
