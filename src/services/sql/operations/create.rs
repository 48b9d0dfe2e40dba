//! Conversations, and what changes in them.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::{Environment, check_limit, lock};
use crate::models::branch::BranchStatus;
use crate::models::conversation::{Conversation, ConversationDetail, ConversationStatus};
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::models::money::Money;
use crate::services::auth::Caller;
use crate::services::conversations::search::index_text;
use crate::services::conversations::{ConversationChanges, NewConversation, StoreError};
use crate::services::sql::rows::{BranchRow, ConversationRow, Rows};

/// The name of the branch that a conversation begins with.
const MAIN: &str = "Main";

/// Makes a conversation with an empty main branch.
pub async fn create_conversation(
    rows: &mut dyn Rows,
    environment: &Environment,
    caller: &Caller,
    new: &NewConversation,
) -> Result<ConversationDetail, StoreError> {
    let (conversation, _) = insert(rows, environment, caller, new).await?;
    let shown = conversation.shown;
    Ok(ConversationDetail {
        branches: rows.branches(shown.id, shown.active_branch_id).await?,
        conversation: shown,
    })
}

/// The same, as rows.
pub(super) async fn insert(
    rows: &mut dyn Rows,
    environment: &Environment,
    caller: &Caller,
    new: &NewConversation,
) -> Result<(ConversationRow, BranchRow), StoreError> {
    let now = environment.clock.now();
    lock_user_below_limit(rows, environment, caller, now).await?;
    let branch = BranchRow {
        id: BranchId::new(&environment.clock),
        conversation_id: ConversationId::new(&environment.clock),
        name: MAIN.to_owned(),
        status: BranchStatus::Active,
        is_main: true,
        fork: None,
        head: None,
        source_id: None,
        created_at: now,
        updated_at: now,
    };
    let conversation = ConversationRow {
        search_title: search_title(new.title.as_deref()),
        source_hash: None,
        shown: Conversation {
            id: branch.conversation_id,
            title: new.title.clone(),
            model: new.model.clone(),
            status: ConversationStatus::Active,
            system_message: new.system_message.clone(),
            metadata: new.metadata.clone().unwrap_or_else(empty_object),
            user_id: caller.user_id,
            active_branch_id: branch.id,
            message_count: 0,
            branch_count: 1,
            total_tokens: 0,
            total_cost: Money::ZERO,
            preview: None,
            imported_from: None,
            created_at: now,
            updated_at: now,
            last_message_at: None,
        },
    };
    rows.insert_conversation(&conversation).await?;
    rows.insert_branch(&branch).await?;
    Ok((conversation, branch))
}

/// Locks the user, who may have one more conversation.
pub(super) async fn lock_user_below_limit(
    rows: &mut dyn Rows,
    environment: &Environment,
    caller: &Caller,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let current = rows.lock_user(caller, now).await?;
    check_limit("conversations", environment.limits.conversations, current, 1)
}

/// Changes a conversation.
pub async fn update_conversation(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    id: ConversationId,
    changes: ConversationChanges,
) -> Result<Conversation, StoreError> {
    let mut row = lock(rows, user, id).await?;
    let shown = &mut row.shown;
    if let Some(title) = changes.title {
        row.search_title = search_title(title.as_deref());
        shown.title = title;
    }
    if let Some(model) = changes.model {
        shown.model = model;
    }
    if let Some(status) = changes.status {
        shown.status = status;
    }
    if let Some(system_message) = changes.system_message {
        shown.system_message = system_message;
    }
    if let Some(metadata) = changes.metadata {
        shown.metadata = metadata.unwrap_or_else(empty_object);
    }
    shown.updated_at = environment.clock.now();
    rows.save_conversation(&row).await?;
    Ok(row.shown)
}

/// Removes a conversation with everything in it.
pub async fn delete_conversation(
    rows: &mut dyn Rows,
    user: UserId,
    id: ConversationId,
) -> Result<(), StoreError> {
    lock(rows, user, id).await?;
    Ok(rows.delete_conversation(id).await?)
}

/// A title as it is searched and sorted.
pub(super) fn search_title(title: Option<&str>) -> String {
    title.map(index_text).unwrap_or_default()
}

pub(super) fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
