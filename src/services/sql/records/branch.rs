//! Branches as they are read.

use sqlx::FromRow;

use super::StoredTime;
use crate::models::branch::{Branch, BranchStatus};
use crate::models::ids::{BranchId, ConversationId, MessageId};
use crate::services::sql::rows::BranchRow;
use crate::services::sql::values::{count, named};
use crate::utils::database::DatabaseError;

/// The columns of a branch.
#[derive(Debug, FromRow)]
pub(in super::super) struct BranchRecord {
    id: BranchId,
    conversation_id: ConversationId,
    name: String,
    status: String,
    is_main: bool,
    parent_message_id: Option<MessageId>,
    head_message_id: Option<MessageId>,
    source_id: Option<String>,
    created_at: StoredTime,
    updated_at: StoredTime,
}

impl BranchRecord {
    pub(in super::super) fn into_row(self) -> Result<BranchRow, DatabaseError> {
        Ok(BranchRow {
            id: self.id,
            conversation_id: self.conversation_id,
            name: self.name,
            status: named(BranchStatus::from_name, &self.status)?,
            is_main: self.is_main,
            fork: self.parent_message_id,
            head: self.head_message_id,
            source_id: self.source_id,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}

/// The columns of a branch, and how far down it ends and forks.
#[derive(Debug, FromRow)]
pub(in super::super) struct ShownBranchRecord {
    #[sqlx(flatten)]
    branch: BranchRecord,
    head_depth: i64,
    fork_depth: i64,
}

impl ShownBranchRecord {
    pub(in super::super) fn into_model(self, active: BranchId) -> Result<Branch, DatabaseError> {
        let row = self.branch.into_row()?;
        Ok(Branch {
            id: row.id,
            conversation_id: row.conversation_id,
            name: row.name,
            status: row.status,
            is_main: row.is_main,
            is_active: row.id == active,
            parent_message_id: row.fork,
            head_message_id: row.head,
            message_count: count(self.head_depth),
            own_message_count: count(self.head_depth - self.fork_depth),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
