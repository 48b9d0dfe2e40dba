//! Conversations, and the users that have them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::RowsResult;
use crate::models::common::Page;
use crate::models::conversation::{Conversation, ConversationStats};
use crate::models::ids::{ConversationId, UserId};
use crate::services::auth::Caller;
use crate::services::conversations::search::SearchQuery;
use crate::services::conversations::{ConversationFilter, ConversationOrder};

/// A conversation as it is stored: read under a lock, changed, and written back as a whole.
#[derive(Debug, Clone)]
pub struct ConversationRow {
    /// All columns that the API shows.
    pub shown: Conversation,
    /// The title as it is searched and sorted.
    pub search_title: String,
    /// Stands for what the source said of the conversation when it was last imported.
    pub source_hash: Option<i64>,
}

/// Conversations, and the users that have them.
#[async_trait]
pub trait ConversationRows {
    /// Makes the user if this is the first that is heard of them, and locks them; tells how many conversations they have.
    async fn lock_user(&mut self, caller: &Caller, now: DateTime<Utc>) -> RowsResult<u64>;

    /// Inserts a conversation. Its active branch follows in the same transaction.
    async fn insert_conversation(&mut self, row: &ConversationRow) -> RowsResult<()>;

    /// The user's conversation, locked until the end of the transaction: nobody else changes anything in it.
    async fn lock_conversation(
        &mut self,
        user: UserId,
        id: ConversationId,
    ) -> RowsResult<Option<ConversationRow>>;

    /// Writes all that can change in a conversation: everything but `id`, `user_id`, `created_at` and `imported_from`.
    async fn save_conversation(&mut self, row: &ConversationRow) -> RowsResult<()>;

    /// Removes a conversation with everything in it.
    async fn delete_conversation(&mut self, id: ConversationId) -> RowsResult<()>;

    /// The user's conversation.
    async fn conversation(&mut self, user: UserId, id: ConversationId) -> RowsResult<Option<Conversation>>;

    /// Those of the user's conversations that have these ids, in any order.
    async fn conversations_by_id(
        &mut self,
        user: UserId,
        ids: &[ConversationId],
    ) -> RowsResult<Vec<Conversation>>;

    /// One page of the user's conversations that pass the filter and, where there is a query, match it: in the title, or
    /// in one of the newest [`MAX_HITS`](crate::services::conversations::search::MAX_HITS) messages that match; and how
    /// many there are.
    async fn conversation_page(
        &mut self,
        user: UserId,
        query: Option<&SearchQuery>,
        filter: &ConversationFilter,
        order: ConversationOrder,
        page: Page,
    ) -> RowsResult<(Vec<Conversation>, u64)>;

    /// What the user's conversations made since then amount to.
    async fn conversation_stats(
        &mut self,
        user: UserId,
        since: Option<DateTime<Utc>>,
    ) -> RowsResult<ConversationStats>;

    /// Reads from the table, so that a database that answers but has lost its tables is found out.
    async fn check(&mut self) -> RowsResult<()>;

    /// The user's copy of a conversation from elsewhere.
    async fn copy_of(&mut self, user: UserId, source: &str) -> RowsResult<Option<ConversationId>>;

    /// The text of the first message of the user that a conversation has.
    async fn first_user_text(&mut self, id: ConversationId) -> RowsResult<Option<String>>;

    /// The latest time at which a message of a conversation was made.
    async fn newest_message_at(&mut self, id: ConversationId) -> RowsResult<Option<DateTime<Utc>>>;
}
