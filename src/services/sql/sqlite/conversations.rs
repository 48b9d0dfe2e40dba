//! Conversations in SQLite: the [`ConversationStore`].

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::rows::{ConversationRow, MessageRow, count};
use super::{SqliteDatabase, answers, branches, new_conversation, turns};
use crate::models::common::Page;
use crate::models::conversation::{Conversation, ConversationDetail, ConversationFilter, FullConversation};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::services::auth::Caller;
use crate::services::conversations::{
    ChatDefaults, ConversationStore, FinishedAnswer, NewConversation, NewTurn, StoreError, StoreLimits, Turn,
    tree_json,
};

const COUNT_OF_STATUS: &str = "SELECT count(*) FROM conversations WHERE user_id = ?1 AND status = ?2";
const LIST_OF_STATUS: &str = "SELECT * FROM conversations WHERE user_id = ?1 AND status = ?2
     ORDER BY updated_at DESC, id DESC LIMIT ?3 OFFSET ?4";

/// The conversations of the SQLite database.
#[derive(Debug, Clone)]
pub struct SqliteConversations {
    database: SqliteDatabase,
    limits: StoreLimits,
}

impl SqliteConversations {
    /// Conversations within limits.
    #[must_use]
    pub const fn new(database: SqliteDatabase, limits: StoreLimits) -> Self {
        Self { database, limits }
    }
}

#[async_trait]
impl ConversationStore for SqliteConversations {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM conversations LIMIT 1")
            .execute(&self.database.readers)
            .await?;
        Ok(())
    }

    async fn create_conversation(
        &self,
        caller: &Caller,
        new: NewConversation,
    ) -> Result<ConversationDetail, StoreError> {
        let (caller, limit, clock) = (
            caller.clone(),
            self.limits.conversations,
            self.database.clock.clone(),
        );
        self.database
            .writer
            .write(move |connection| {
                Box::pin(async move {
                    let id = ConversationId::new(&clock);
                    new_conversation::insert(
                        connection,
                        &caller,
                        id,
                        BranchId::new(&clock),
                        &new,
                        limit,
                        clock.now(),
                    )
                    .await?;
                    detail(connection, caller.user_id, id)
                        .await?
                        .ok_or(StoreError::ConversationNotFound)
                })
            })
            .await
    }

    async fn conversations(
        &self,
        user: UserId,
        filter: ConversationFilter,
        page: Page,
    ) -> Result<(Vec<Conversation>, u64), StoreError> {
        // Two static queries each, so that each has an index that gives the order too.
        let (count_sql, list_sql, status) = match filter {
            ConversationFilter::All => (
                "SELECT count(*) FROM conversations WHERE user_id = ?1 AND ?2 IS NULL",
                "SELECT * FROM conversations WHERE user_id = ?1 AND ?2 IS NULL
                 ORDER BY updated_at DESC, id DESC LIMIT ?3 OFFSET ?4",
                None,
            ),
            ConversationFilter::Active => (COUNT_OF_STATUS, LIST_OF_STATUS, Some("active")),
            ConversationFilter::Archived => (COUNT_OF_STATUS, LIST_OF_STATUS, Some("archived")),
        };
        let mut snapshot = self.database.readers.begin().await?;
        let (total,): (i64,) = sqlx::query_as(count_sql)
            .bind(user)
            .bind(status)
            .fetch_one(&mut *snapshot)
            .await?;
        let rows: Vec<ConversationRow> = sqlx::query_as(list_sql)
            .bind(user)
            .bind(status)
            .bind(page.limit)
            .bind(super::rows::stored(page.offset()))
            .fetch_all(&mut *snapshot)
            .await?;
        let items = rows
            .into_iter()
            .map(ConversationRow::into_model)
            .collect::<Result<_, _>>()?;
        Ok((items, count(total)))
    }

    async fn conversation(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationDetail>, StoreError> {
        let mut snapshot = self.database.readers.begin().await?;
        detail(&mut snapshot, user, id).await
    }

    async fn full_conversation(
        &self,
        user: UserId,
        id: ConversationId,
        branch: Option<BranchId>,
    ) -> Result<Option<FullConversation>, StoreError> {
        let mut snapshot = self.database.readers.begin().await?;
        let Some(ConversationDetail {
            conversation,
            branches,
        }) = detail(&mut snapshot, user, id).await?
        else {
            return Ok(None);
        };
        let rows = match branch {
            None => all_messages(&mut snapshot, id).await?,
            Some(wanted) => {
                let branch = branches
                    .iter()
                    .find(|branch| branch.id == wanted)
                    .ok_or(StoreError::BranchNotFound)?;
                path_messages(&mut snapshot, branch.head_message_id).await?
            }
        };
        let places: Vec<_> = rows.iter().map(|row| (row.id, row.parent_id)).collect();
        let mut children = children(&mut snapshot, id).await?;
        let messages = rows
            .into_iter()
            .map(|row| {
                let children = children.remove(&row.id).unwrap_or_default();
                row.into_model(children)
            })
            .collect::<Result<_, _>>()?;
        let tree = tree_json(&places)
            .map_err(|error| crate::utils::database::DatabaseError::Corrupt(error.to_string()))?;
        Ok(Some(FullConversation {
            conversation,
            branches,
            messages,
            tree,
        }))
    }

    async fn chat_defaults(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<ChatDefaults>, StoreError> {
        let row: Option<(Option<String>,)> =
            sqlx::query_as("SELECT model FROM conversations WHERE id = ?1 AND user_id = ?2")
                .bind(id)
                .bind(user)
                .fetch_optional(&self.database.readers)
                .await?;
        Ok(row.map(|(model,)| ChatDefaults { model }))
    }

    async fn append_turn(&self, caller: &Caller, turn: NewTurn) -> Result<Turn, StoreError> {
        let (caller, limits, clock) = (caller.clone(), self.limits, self.database.clock.clone());
        self.database
            .writer
            .write(move |connection| {
                Box::pin(async move { turns::append(connection, &caller, &turn, limits, &clock).await })
            })
            .await
    }

    async fn save_answer(&self, answer: Arc<FinishedAnswer>) -> Result<(), StoreError> {
        let now = self.database.clock.now();
        self.database
            .writer
            .write(move |connection| Box::pin(async move { answers::save(connection, &answer, now).await }))
            .await
    }
}

async fn detail(
    connection: &mut SqliteConnection,
    user: UserId,
    id: ConversationId,
) -> Result<Option<ConversationDetail>, StoreError> {
    let row: Option<ConversationRow> =
        sqlx::query_as("SELECT * FROM conversations WHERE id = ?1 AND user_id = ?2")
            .bind(id)
            .bind(user)
            .fetch_optional(&mut *connection)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let branches = branches::branches(connection, id, row.active_branch_id).await?;
    Ok(Some(ConversationDetail {
        conversation: row.into_model()?,
        branches,
    }))
}

async fn all_messages(
    connection: &mut SqliteConnection,
    id: ConversationId,
) -> sqlx::Result<Vec<MessageRow>> {
    sqlx::query_as("SELECT * FROM messages WHERE conversation_id = ?1 ORDER BY id")
        .bind(id)
        .fetch_all(connection)
        .await
}

/// The path from the root to `head`, the root first.
async fn path_messages(
    connection: &mut SqliteConnection,
    head: Option<MessageId>,
) -> sqlx::Result<Vec<MessageRow>> {
    sqlx::query_as(
        "WITH RECURSIVE path (id) AS (
             SELECT ?1
             UNION ALL
             SELECT m.parent_id FROM path JOIN messages m ON m.id = path.id WHERE m.parent_id IS NOT NULL
         )
         SELECT m.* FROM path JOIN messages m ON m.id = path.id ORDER BY m.depth",
    )
    .bind(head)
    .fetch_all(connection)
    .await
}

async fn children(
    connection: &mut SqliteConnection,
    id: ConversationId,
) -> sqlx::Result<HashMap<MessageId, Vec<MessageId>>> {
    let edges: Vec<(MessageId, MessageId)> = sqlx::query_as(
        "SELECT parent_id, id FROM messages WHERE conversation_id = ?1 AND parent_id IS NOT NULL ORDER BY id",
    )
    .bind(id)
    .fetch_all(connection)
    .await?;
    let mut children: HashMap<_, Vec<_>> = HashMap::new();
    for (parent, child) in edges {
        children.entry(parent).or_default().push(child);
    }
    Ok(children)
}
