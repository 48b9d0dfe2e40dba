//! Copies of conversations from elsewhere.
//!
//! A copy has ids of its own and remembers what each part is a copy of. Importing the same conversation again finds the
//! earlier copy by that and gives it what it does not have. What somebody did to the copy here stays: messages that were
//! added, texts that were edited, branches that were written to. [`branches`] has the difficult part.

mod branches;
mod messages;

use chrono::{DateTime, Utc};

use super::create::{empty_object, lock_user_below_limit, search_title};
use super::{Surroundings, lock, refresh_preview};
use crate::models::branch::BranchStatus;
use crate::models::conversation::{Conversation, ConversationStatus};
use crate::models::ids::{BranchId, ConversationId};
use crate::models::money::Money;
use crate::services::auth::Caller;
use crate::services::conversations::transfer::import::{ImportedBranch, ImportedConversation};
use crate::services::conversations::{ImportOutcome, StoreError};
use crate::services::sql::rows::{BranchRow, ConversationRow, Rows};

/// Makes a copy, or brings an earlier one up to date. See
/// [`ConversationStore::import_conversation`](crate::services::conversations::ConversationStore).
pub async fn import_conversation(
    rows: &mut dyn Rows,
    around: &Surroundings,
    caller: &Caller,
    imported: &ImportedConversation,
) -> Result<(ConversationId, ImportOutcome), StoreError> {
    let now = around.clock.now();
    // Whoever imports the same at the same time waits here, and then finds this copy.
    rows.lock_user(caller, now).await?;
    match rows.copy_of(caller.user_id, &imported.source).await? {
        Some(id) => {
            let conversation = lock(rows, caller.user_id, id).await?;
            fill(rows, around, conversation, imported, now).await?;
            Ok((id, ImportOutcome::Updated))
        }
        None => {
            lock_user_below_limit(rows, around, caller, now).await?;
            let conversation = insert(rows, around, caller, imported, now).await?;
            let id = conversation.shown.id;
            fill(rows, around, conversation, imported, now).await?;
            Ok((id, ImportOutcome::Created))
        }
    }
}

/// Inserts the conversation with its branches, all of them still empty.
async fn insert(
    rows: &mut dyn Rows,
    around: &Surroundings,
    caller: &Caller,
    imported: &ImportedConversation,
    now: DateTime<Utc>,
) -> Result<ConversationRow, StoreError> {
    let id = ConversationId::new(&around.clock);
    let branches: Vec<BranchRow> = imported
        .branches
        .iter()
        .map(|branch| new_branch(around, id, branch, now))
        .collect();
    let active = branches
        .get(imported.active_branch)
        .or(branches.first())
        .ok_or(StoreError::BranchNotFound)?;
    let created_at = imported.created_at.unwrap_or(now);
    let row = ConversationRow {
        search_title: search_title(imported.title.as_deref()),
        shown: Conversation {
            id,
            title: imported.title.clone(),
            model: imported.model.clone(),
            status: match imported.archived {
                true => ConversationStatus::Archived,
                false => ConversationStatus::Active,
            },
            system_message: imported.system_message.clone(),
            metadata: imported.metadata.clone().unwrap_or_else(empty_object),
            user_id: caller.user_id,
            active_branch_id: active.id,
            message_count: 0,
            branch_count: branches.len() as u64,
            total_tokens: 0,
            total_cost: Money::ZERO,
            preview: None,
            imported_from: Some(imported.source.clone()),
            created_at,
            updated_at: imported.updated_at.unwrap_or(created_at),
            last_message_at: None,
        },
    };
    rows.insert_conversation(&row).await?;
    for branch in &branches {
        rows.insert_branch(branch).await?;
    }
    Ok(row)
}

fn new_branch(
    around: &Surroundings,
    conversation: ConversationId,
    branch: &ImportedBranch,
    now: DateTime<Utc>,
) -> BranchRow {
    let created_at = branch.created_at.unwrap_or(now);
    BranchRow {
        id: BranchId::new(&around.clock),
        conversation_id: conversation,
        name: branch.name.clone(),
        status: branch.status,
        is_main: branch.is_main,
        fork: None,
        head: None,
        source_id: Some(branch.source_id.clone()),
        created_at,
        updated_at: branch.updated_at.unwrap_or(created_at),
    }
}

/// Gives a copy what it does not have yet.
async fn fill(
    rows: &mut dyn Rows,
    around: &Surroundings,
    mut conversation: ConversationRow,
    imported: &ImportedConversation,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut branches = branches::Branches::load(rows, around, &conversation).await?;
    let owners = branches.owners(rows, &mut conversation, imported, now).await?;
    let copies = messages::copy(rows, around, &mut conversation, imported, &owners).await?;
    branches
        .set_heads(rows, &mut conversation, imported, &copies, now)
        .await?;
    if conversation.shown.title.is_none() {
        conversation.shown.title.clone_from(&imported.title);
        conversation.search_title = search_title(conversation.shown.title.as_deref());
    }
    refresh_preview(rows, &mut conversation).await?;
    Ok(rows.save_conversation(&conversation).await?)
}

/// A further copy of a branch whose first copy was written to here, and so cannot follow its source any more.
fn further_copy(of: &BranchRow, around: &Surroundings, source_id: String, now: DateTime<Utc>) -> BranchRow {
    BranchRow {
        id: BranchId::new(&around.clock),
        name: of.name.clone(),
        status: BranchStatus::Active,
        is_main: false,
        fork: None,
        head: None,
        source_id: Some(source_id),
        created_at: now,
        updated_at: now,
        ..of.clone()
    }
}
