//! Branches as the API shows them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::{BranchId, ConversationId, MessageId};

/// What has become of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BranchStatus {
    /// In use.
    Active,
    /// Merged into another.
    Merged,
    /// Given up.
    Abandoned,
}

/// A named path in the tree of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Branch {
    /// Its id.
    pub id: BranchId,
    /// The conversation it belongs to.
    pub conversation_id: ConversationId,
    /// Its name.
    pub name: String,
    /// What has become of it.
    pub status: BranchStatus,
    /// Whether it is the branch that the conversation began with.
    pub is_main: bool,
    /// Whether new messages go here unless said otherwise.
    pub is_active: bool,
    /// The message at which it forked; null for the main branch.
    pub parent_message_id: Option<MessageId>,
    /// The message at which it ends; null while it is empty.
    pub head_message_id: Option<MessageId>,
    /// Messages on the whole path from the root to the head.
    pub message_count: u64,
    /// Messages after the fork.
    pub own_message_count: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}
