//! What a query finds.

use async_trait::async_trait;

use super::RowsResult;
use crate::models::ids::{ConversationId, UserId};
use crate::services::conversations::search::{Hit, SearchQuery};
use crate::services::conversations::{ConversationFilter, MessageFilter};

/// What a query finds. The query is not empty.
#[async_trait]
pub trait SearchRows {
    /// Hits in the user's conversations that pass the filter: all titles, and the newest
    /// [`MAX_HITS`](crate::services::conversations::search::MAX_HITS) messages, among the newest
    /// [`MAX_CANDIDATES`](crate::services::conversations::search::MAX_CANDIDATES) of the user that have the words.
    async fn conversation_hits(
        &mut self,
        user: UserId,
        query: &SearchQuery,
        filter: &ConversationFilter,
    ) -> RowsResult<Vec<Hit>>;

    /// Hits in the messages of one conversation that pass the filter: the newest
    /// [`MAX_HITS`](crate::services::conversations::search::MAX_HITS). It looks at the texts of this conversation only,
    /// without the index, so that it costs nothing what others hold.
    async fn message_hits(
        &mut self,
        conversation: ConversationId,
        query: &SearchQuery,
        filter: MessageFilter<'_>,
    ) -> RowsResult<Vec<Hit>>;
}
