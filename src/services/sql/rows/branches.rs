//! Branches.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::RowsResult;
use crate::models::branch::{Branch, BranchStatus};
use crate::models::ids::{BranchId, ConversationId, MessageId};

/// A branch as it is stored.
#[derive(Debug, Clone)]
pub struct BranchRow {
    /// Its id.
    pub id: BranchId,
    /// The conversation it belongs to.
    pub conversation_id: ConversationId,
    /// Its name.
    pub name: String,
    /// What has become of it.
    pub status: BranchStatus,
    /// Whether it is the one that the conversation began with.
    pub is_main: bool,
    /// The message at which it forked.
    pub fork: Option<MessageId>,
    /// The message at which it ends.
    pub head: Option<MessageId>,
    /// The branch that it is a copy of, if it was imported.
    pub source_id: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Branches.
#[async_trait]
pub trait BranchRows {
    /// Inserts a branch.
    async fn insert_branch(&mut self, row: &BranchRow) -> RowsResult<()>;

    /// Writes all that can change in a branch: name, status, fork, head, `updated_at`.
    async fn save_branch(&mut self, row: &BranchRow) -> RowsResult<()>;

    /// Removes a branch. No message names it any more.
    async fn delete_branch(&mut self, id: BranchId) -> RowsResult<()>;

    /// A branch of the conversation.
    async fn branch_row(
        &mut self,
        conversation: ConversationId,
        id: BranchId,
    ) -> RowsResult<Option<BranchRow>>;

    /// All branches of the conversation, the main one first, then the oldest first.
    async fn branch_rows(&mut self, conversation: ConversationId) -> RowsResult<Vec<BranchRow>>;

    /// The same as they are shown.
    async fn branches(&mut self, conversation: ConversationId, active: BranchId) -> RowsResult<Vec<Branch>>;
}
