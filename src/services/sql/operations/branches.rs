//! Making, changing and deleting branches.

use std::collections::HashMap;

use super::place::NewFork;
use super::{Environment, branch, lock, node, place, refresh_preview, refuse_running, remove};
use crate::models::branch::{Branch, BranchStatus, DeletedBranch};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::services::conversations::{BranchChanges, NewBranch, StoreError};
use crate::services::sql::rows::{BranchRow, ConversationRow, Rows};

/// Makes a branch that forks at a message.
pub async fn create_branch(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    conversation_id: ConversationId,
    new: &NewBranch,
) -> Result<Branch, StoreError> {
    let mut conversation = lock(rows, user, conversation_id).await?;
    node(rows, conversation_id, new.fork).await?;
    let fork = NewFork {
        at: Some(new.fork),
        name: new.name.as_deref(),
        activate: new.activate,
    };
    let made = place::fork(rows, environment, &mut conversation, fork).await?;
    rows.save_conversation(&conversation).await?;
    shown(rows, &conversation, made.branch.id).await
}

/// Changes a branch.
pub async fn update_branch(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    conversation_id: ConversationId,
    id: BranchId,
    changes: BranchChanges,
) -> Result<Branch, StoreError> {
    let conversation = lock(rows, user, conversation_id).await?;
    let mut branch = branch(rows, conversation_id, id).await?;
    if let Some(name) = changes.name {
        branch.name = name;
    }
    if let Some(status) = changes.status {
        branch.status = status;
    }
    branch.updated_at = environment.clock.now();
    rows.save_branch(&branch).await?;
    shown(rows, &conversation, id).await
}

/// Makes a branch the active one.
pub async fn activate_branch(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    conversation_id: ConversationId,
    id: BranchId,
) -> Result<Branch, StoreError> {
    let mut conversation = lock(rows, user, conversation_id).await?;
    let mut branch = branch(rows, conversation_id, id).await?;
    let now = environment.clock.now();
    if branch.status != BranchStatus::Active {
        branch.status = BranchStatus::Active;
        branch.updated_at = now;
        rows.save_branch(&branch).await?;
    }
    if conversation.shown.active_branch_id != id {
        conversation.shown.active_branch_id = id;
        conversation.shown.updated_at = now;
        rows.save_conversation(&conversation).await?;
    }
    shown(rows, &conversation, id).await
}

/// Removes a branch, and the messages that no other branch reaches.
pub async fn delete_branch(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    conversation_id: ConversationId,
    id: BranchId,
) -> Result<DeletedBranch, StoreError> {
    let mut conversation = lock(rows, user, conversation_id).await?;
    let branch = branch(rows, conversation_id, id).await?;
    if branch.is_main {
        return Err(StoreError::BranchIsMain);
    }
    if conversation.shown.active_branch_id == id {
        return Err(StoreError::BranchIsActive);
    }
    let deleted = remove_branch(rows, &mut conversation, branch).await?;
    conversation.shown.updated_at = environment.clock.now();
    rows.save_conversation(&conversation).await?;
    Ok(DeletedBranch {
        id,
        deleted: true,
        deleted_message_count: deleted,
    })
}

/// Removes a branch that is neither the main nor the active one. What it wrote and others reach is theirs from now on.
pub(super) async fn remove_branch(
    rows: &mut dyn Rows,
    conversation: &mut ConversationRow,
    mut branch: BranchRow,
) -> Result<u64, StoreError> {
    let id = conversation.shown.id;
    let edges = rows.edges(id).await?;
    let parents: HashMap<_, _> = edges.iter().map(|edge| (edge.id, edge.parent_id)).collect();
    let others: Vec<_> = rows.branch_rows(id).await?;
    let heirs = heirs(&parents, others.iter().filter(|other| other.id != branch.id));
    let lost: Vec<MessageId> = edges
        .iter()
        .filter(|edge| !heirs.contains_key(&edge.id))
        .map(|edge| edge.id)
        .collect();
    let running = rows.running(id).await?;
    refuse_running(&running, |answer| lost.contains(&answer.message_id))?;
    let mut inherited: HashMap<BranchId, Vec<MessageId>> = HashMap::new();
    for edge in edges.iter().filter(|edge| edge.branch_id == branch.id) {
        if let Some(heir) = heirs.get(&edge.id) {
            inherited.entry(*heir).or_default().push(edge.id);
        }
    }
    for (heir, messages) in inherited {
        rows.set_branch(&messages, heir).await?;
    }
    // It must not point to messages that go before it does.
    (branch.fork, branch.head) = (None, None);
    rows.save_branch(&branch).await?;
    let removed = remove(rows, conversation, &lost).await?;
    rows.delete_branch(branch.id).await?;
    conversation.shown.branch_count = conversation.shown.branch_count.saturating_sub(1);
    refresh_preview(rows, conversation).await?;
    Ok(removed)
}

/// For every message that one of these branches reaches, the first that does.
pub(super) fn heirs<'a>(
    parents: &HashMap<MessageId, Option<MessageId>>,
    branches: impl Iterator<Item = &'a BranchRow>,
) -> HashMap<MessageId, BranchId> {
    let mut heirs = HashMap::with_capacity(parents.len());
    for branch in branches {
        let mut next = branch.head;
        while let Some(message) = next.filter(|message| !heirs.contains_key(message)) {
            heirs.insert(message, branch.id);
            next = parents.get(&message).copied().flatten();
        }
    }
    heirs
}

/// A branch as it is shown.
pub(super) async fn shown(
    rows: &mut dyn Rows,
    conversation: &ConversationRow,
    id: BranchId,
) -> Result<Branch, StoreError> {
    let (conversation, active) = (conversation.shown.id, conversation.shown.active_branch_id);
    let branches = rows.branches(conversation, active).await?;
    branches
        .into_iter()
        .find(|branch| branch.id == id)
        .ok_or(StoreError::BranchNotFound)
}
