//! Messages as they are shown.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::RowsResult;
use crate::models::common::{Page, SortOrder};
use crate::models::ids::{ConversationId, MessageId};
use crate::models::message::{Message, Role};
use crate::models::money::Money;
use crate::services::conversations::MessageCursor;

/// The numbers of a message, for statistics.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Who speaks.
    pub role: Role,
    /// The model that wrote it.
    pub model: Option<String>,
    /// Tokens that the model read.
    pub prompt_tokens: u64,
    /// Tokens that the model wrote.
    pub completion_tokens: u64,
    /// What it cost, as far as that is known.
    pub cost: Money,
    /// Milliseconds from the start of the answer to its end.
    pub latency_ms: Option<u64>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// Messages as they are shown, each with the ids of its children.
#[async_trait]
pub trait MessageReads {
    /// All messages of a conversation, parents first.
    async fn all_messages(&mut self, conversation: ConversationId) -> RowsResult<Vec<Message>>;

    /// At most `limit` messages after a place in the list of all, parents first, and the place of the last.
    async fn messages_after(
        &mut self,
        conversation: ConversationId,
        after: MessageCursor,
        limit: u32,
    ) -> RowsResult<(Vec<Message>, MessageCursor)>;

    /// The last `limit` messages of the path that ends at `last` (all of it without a limit), the root first.
    async fn path_end(&mut self, last: Option<MessageId>, limit: Option<u32>) -> RowsResult<Vec<Message>>;

    /// The message at this depth on the path that ends at `id`, in a logarithmic number of steps.
    async fn ancestor_at(&mut self, id: MessageId, depth: i64) -> RowsResult<Option<MessageId>>;

    /// One page of those messages on the path that ends at `head` which have this role, and how many there are.
    async fn path_of_role(
        &mut self,
        head: Option<MessageId>,
        role: Role,
        order: SortOrder,
        page: Page,
    ) -> RowsResult<(Vec<Message>, u64)>;

    /// What directly follows a message of the conversation, or its roots; the oldest first.
    async fn children(
        &mut self,
        conversation: ConversationId,
        parent: Option<MessageId>,
    ) -> RowsResult<Vec<Message>>;

    /// Messages with these ids, in any order.
    async fn messages_by_id(&mut self, ids: &[MessageId]) -> RowsResult<Vec<Message>>;

    /// The texts of messages, in any order.
    async fn texts(&mut self, ids: &[MessageId]) -> RowsResult<Vec<(MessageId, String)>>;

    /// The numbers of the path that ends at `head`, the root first.
    async fn figures(&mut self, head: Option<MessageId>) -> RowsResult<Vec<Figures>>;
}
