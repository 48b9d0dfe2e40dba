//! Bringing one branch into another.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::branches::remove_branch;
use super::place::{RowBuilder, check_message_limit};
use super::{Environment, branch, lock, refuse_running};
use crate::models::branch::{BranchStatus, MergeResult};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::models::message::MergedFrom;
use crate::services::conversations::{Merge, StoreError};
use crate::services::sql::rows::{BranchRow, ConversationRow, MessageRow, Origin, Rows};
use crate::utils::database::DatabaseError;

/// What merging one path into another takes.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// The target has all of it.
    Nothing,
    /// The target ends where the paths part: its head moves over so many messages.
    FastForward(u64),
    /// These are copied.
    Append(Vec<Origin>),
}

impl Plan {
    /// The base is the last message that both paths share. What the target has from an earlier merge is told by its
    /// origin: a copy, or a copy of a copy, stands for the message that it came from.
    fn new(source: &[Origin], target: &[Origin]) -> Self {
        let shared = source
            .iter()
            .zip(target)
            .take_while(|(source, target)| source.id == target.id)
            .count();
        let (tail, held) = (&source[shared..], &target[shared..]);
        let held: HashSet<MessageId> = held.iter().map(|message| message.origin).collect();
        let new: Vec<Origin> = tail
            .iter()
            .filter(|message| !held.contains(&message.origin))
            .copied()
            .collect();
        if new.is_empty() {
            Self::Nothing
        } else if held.is_empty() {
            Self::FastForward(tail.len() as u64)
        } else {
            Self::Append(new)
        }
    }
}

/// Merges a branch into another. See [`ConversationStore::merge_branch`](crate::services::conversations::ConversationStore).
pub async fn merge_branch(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    conversation_id: ConversationId,
    source: BranchId,
    merge: Merge,
) -> Result<MergeResult, StoreError> {
    let mut conversation = lock(rows, user, conversation_id).await?;
    let source = branch(rows, conversation_id, source).await?;
    let mut target = target(rows, conversation_id, merge.target).await?;
    check(&source, &target, merge)?;
    let source_path = rows.path_origins(source.head).await?;
    let target_path = rows.path_origins(target.head).await?;
    let on_either = |id| {
        let ids = source_path.iter().chain(&target_path);
        ids.map(|message| message.id).any(|message| message == id)
    };
    let running = rows.running(conversation_id).await?;
    refuse_running(&running, |answer| on_either(answer.message_id))?;
    let plan = Plan::new(&source_path, &target_path);
    if merge.fast_forward_only && matches!(plan, Plan::Append(_)) {
        return Err(StoreError::Conflict(
            "The target branch has messages of its own, so that its head cannot simply be moved.",
        ));
    }
    if let Plan::Append(new) = &plan {
        check_message_limit(environment, &conversation, new.len())?;
    }
    let mut result = MergeResult {
        target_branch_id: target.id,
        merged_message_count: match &plan {
            Plan::Nothing => 0,
            Plan::FastForward(count) => *count,
            Plan::Append(new) => new.len() as u64,
        },
        fast_forward: matches!(plan, Plan::FastForward(_)),
        already_merged: plan == Plan::Nothing,
        head_message_id: match &plan {
            Plan::FastForward(_) => source.head,
            _ => target.head,
        },
        dry_run: merge.dry_run,
    };
    if merge.dry_run {
        return Ok(result);
    }
    let now = environment.clock.now();
    match &plan {
        Plan::Nothing => {}
        Plan::FastForward(_) => move_head(rows, &mut target, source.head, now).await?,
        Plan::Append(new) => append(rows, environment, &mut conversation, &source, &mut target, new).await?,
    }
    result.head_message_id = target.head;
    retire(rows, &mut conversation, source, &target, merge, now).await?;
    conversation.shown.updated_at = now;
    rows.save_conversation(&conversation).await?;
    Ok(result)
}

async fn target(
    rows: &mut dyn Rows,
    conversation: ConversationId,
    wanted: Option<BranchId>,
) -> Result<BranchRow, StoreError> {
    match wanted {
        Some(id) => branch(rows, conversation, id).await,
        None => rows
            .branch_rows(conversation)
            .await?
            .into_iter()
            .find(|branch| branch.is_main)
            .ok_or(StoreError::BranchNotFound),
    }
}

fn check(source: &BranchRow, target: &BranchRow, merge: Merge) -> Result<(), StoreError> {
    if source.id == target.id {
        return Err(StoreError::Conflict("A branch cannot be merged into itself."));
    }
    if merge.delete_source && source.is_main {
        return Err(StoreError::BranchIsMain);
    }
    if merge.expected_target_head.is_some() && merge.expected_target_head != target.head {
        return Err(StoreError::Conflict(
            "The target branch does not end where you expect: somebody has written to it.",
        ));
    }
    Ok(())
}

async fn move_head(
    rows: &mut dyn Rows,
    branch: &mut BranchRow,
    head: Option<MessageId>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    branch.head = head;
    branch.status = BranchStatus::Active;
    branch.updated_at = now;
    Ok(rows.save_branch(branch).await?)
}

/// Copies messages to the end of the target. The copies carry no usage or cost: those stay with the original.
async fn append(
    rows: &mut dyn Rows,
    environment: &Environment,
    conversation: &mut ConversationRow,
    source: &BranchRow,
    target: &mut BranchRow,
    new: &[Origin],
) -> Result<(), StoreError> {
    let (id, now) = (conversation.shown.id, environment.clock.now());
    let ids: Vec<MessageId> = new.iter().map(|message| message.id).collect();
    let originals = rows.message_rows(&ids).await?;
    let mut builder = RowBuilder::new(id);
    let mut copies = Vec::with_capacity(originals.len());
    let mut head = target.head;
    for (original, came_from) in originals.into_iter().zip(new) {
        let from = MergedFrom {
            branch_id: source.id,
            message_id: original.id,
        };
        let metadata = from
            .write(original.metadata.as_deref())
            .map_err(|error| DatabaseError::corrupt("metadata", error))?;
        let copy = builder
            .row_below(rows, MessageId::new(&environment.clock), target.id, head, now)
            .await?;
        head = Some(copy.id);
        copies.push(MessageRow {
            role: original.role,
            content: original.content,
            parts: original.parts,
            model: original.model,
            status: original.status,
            finish_reason: original.finish_reason,
            tool_calls: original.tool_calls,
            tool_call_id: original.tool_call_id,
            reasoning: original.reasoning,
            metadata: Some(metadata),
            edited: original.edited,
            origin_id: Some(came_from.origin),
            ..copy
        });
    }
    rows.insert_messages(conversation.shown.user_id, id, &copies)
        .await?;
    conversation.shown.message_count += copies.len() as u64;
    conversation.shown.last_message_at = conversation.shown.last_message_at.max(Some(now));
    move_head(rows, target, head, now).await
}

/// The source is called merged, or deleted. If it was the active branch, the target takes over.
async fn retire(
    rows: &mut dyn Rows,
    conversation: &mut ConversationRow,
    mut source: BranchRow,
    target: &BranchRow,
    merge: Merge,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if conversation.shown.active_branch_id == source.id {
        conversation.shown.active_branch_id = target.id;
    }
    if merge.delete_source {
        remove_branch(rows, conversation, source).await?;
        return Ok(());
    }
    if source.status != BranchStatus::Merged {
        source.status = BranchStatus::Merged;
        source.updated_at = now;
        rows.save_branch(&source).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    /// A path of messages, each with what it is a copy of.
    fn path(messages: &[(u128, u128)]) -> Vec<Origin> {
        let id = |n| MessageId(Uuid::from_u128(n));
        let origin = |(n, origin): &(u128, u128)| Origin {
            id: id(*n),
            origin: id(*origin),
        };
        messages.iter().map(origin).collect()
    }

    #[test]
    fn moves_the_head_where_the_target_ends_at_the_base() {
        let (target, source) = (path(&[(1, 1)]), path(&[(1, 1), (2, 2), (3, 3)]));
        assert_eq!(Plan::new(&source, &target), Plan::FastForward(2));
        assert_eq!(Plan::new(&source, &[]), Plan::FastForward(3));
    }

    #[test]
    fn copies_only_what_no_earlier_merge_brought() {
        let source = path(&[(1, 1), (2, 2), (3, 3)]);
        let target = path(&[(1, 1), (9, 9)]);
        assert_eq!(Plan::new(&source, &target), Plan::Append(path(&[(2, 2), (3, 3)])));
        let merged = path(&[(1, 1), (9, 9), (10, 2), (11, 3)]);
        assert_eq!(Plan::new(&source, &merged), Plan::Nothing);
        let grown = path(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
        assert_eq!(Plan::new(&grown, &merged), Plan::Append(path(&[(4, 4)])));
        // And back: what came from the source is not brought to it again.
        assert_eq!(Plan::new(&merged, &grown), Plan::Append(path(&[(9, 9)])));
    }

    #[test]
    fn copies_all_where_the_paths_share_nothing() {
        let (target, source) = (path(&[(1, 1)]), path(&[(2, 2), (3, 3)]));
        assert_eq!(Plan::new(&source, &target), Plan::Append(path(&[(2, 2), (3, 3)])));
    }

    #[test]
    fn an_empty_source_brings_nothing() {
        assert_eq!(Plan::new(&[], &path(&[(1, 1)])), Plan::Nothing);
        assert_eq!(Plan::new(&[], &[]), Plan::Nothing);
    }
}
