//! Conversations as they are read.

use sqlx::FromRow;

use super::StoredTime;
use crate::models::conversation::{Conversation, ConversationStatus};
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::models::money::Money;
use crate::services::sql::rows::ConversationRow;
use crate::services::sql::values::{count, json, named};
use crate::utils::database::DatabaseError;

/// The columns of a conversation.
#[derive(Debug, FromRow)]
pub(in super::super) struct ConversationRecord {
    id: ConversationId,
    user_id: UserId,
    title: Option<String>,
    search_title: String,
    model: Option<String>,
    status: String,
    system_message: Option<String>,
    metadata: String,
    active_branch_id: BranchId,
    message_count: i64,
    branch_count: i64,
    total_tokens: i64,
    total_cost: Money,
    preview: Option<String>,
    imported_from: Option<String>,
    source_hash: Option<i64>,
    created_at: StoredTime,
    updated_at: StoredTime,
    last_message_at: Option<StoredTime>,
}

impl ConversationRecord {
    pub(in super::super) fn into_model(self) -> Result<Conversation, DatabaseError> {
        Ok(Conversation {
            id: self.id,
            title: self.title,
            model: self.model,
            status: named(ConversationStatus::from_name, &self.status)?,
            system_message: self.system_message,
            metadata: json(self.metadata)?,
            user_id: self.user_id,
            active_branch_id: self.active_branch_id,
            message_count: count(self.message_count),
            branch_count: count(self.branch_count),
            total_tokens: count(self.total_tokens),
            total_cost: self.total_cost,
            preview: self.preview,
            imported_from: self.imported_from,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
            last_message_at: self.last_message_at.map(Into::into),
        })
    }

    pub(in super::super) fn into_row(mut self) -> Result<ConversationRow, DatabaseError> {
        Ok(ConversationRow {
            search_title: std::mem::take(&mut self.search_title),
            source_hash: self.source_hash,
            shown: self.into_model()?,
        })
    }
}
