//! What is shown of conversations and messages.

use super::{branch, node};
use crate::models::common::{Page, SortOrder};
use crate::models::conversation::{Conversation, ConversationDetail, FullConversation};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::models::message::{Message, MessageDetail};
use crate::services::conversations::{
    MessageBatch, MessageCursor, PathQuery, Relatives, StoreError, tree_json,
};
use crate::services::sql::rows::Rows;
use crate::utils::database::DatabaseError;

/// A conversation with its branches.
pub async fn detail(
    rows: &mut dyn Rows,
    user: UserId,
    id: ConversationId,
) -> Result<Option<ConversationDetail>, StoreError> {
    let Some(conversation) = rows.conversation(user, id).await? else {
        return Ok(None);
    };
    Ok(Some(ConversationDetail {
        branches: rows.branches(id, conversation.active_branch_id).await?,
        conversation,
    }))
}

/// A conversation with every message, or with those on the path of one branch.
pub async fn full(
    rows: &mut dyn Rows,
    user: UserId,
    id: ConversationId,
    branch: Option<BranchId>,
) -> Result<Option<FullConversation>, StoreError> {
    let Some(detail) = detail(rows, user, id).await? else {
        return Ok(None);
    };
    let messages = match branch {
        None => rows.all_messages(id).await?,
        Some(wanted) => {
            let mut branches = detail.branches.iter();
            let branch = branches
                .find(|branch| branch.id == wanted)
                .ok_or(StoreError::BranchNotFound)?;
            rows.path_end(branch.head_message_id, None).await?
        }
    };
    let places: Vec<_> = messages
        .iter()
        .map(|message| (message.id, message.parent_id))
        .collect();
    let tree = tree_json(&places).map_err(DatabaseError::encode)?;
    Ok(Some(FullConversation {
        conversation: detail.conversation,
        branches: detail.branches,
        messages,
        tree: Some(tree),
    }))
}

/// One page of the path of a branch, and how many messages it has.
pub async fn path(
    rows: &mut dyn Rows,
    user: UserId,
    id: ConversationId,
    query: PathQuery,
    page: Page,
) -> Result<(Vec<Message>, u64), StoreError> {
    let conversation = existing(rows, user, id).await?;
    let branch = branch(rows, id, query.branch.unwrap_or(conversation.active_branch_id)).await?;
    if let Some(role) = query.role {
        return Ok(rows.path_of_role(branch.head, role, query.order, page).await?);
    }
    let Some(head) = branch.head else {
        return Ok((Vec::new(), 0));
    };
    let total = u64::try_from(node(rows, id, head).await?.depth).unwrap_or_default();
    let skipped = page.offset();
    let wanted = total.saturating_sub(skipped).min(u64::from(page.limit));
    if wanted == 0 {
        return Ok((Vec::new(), total));
    }
    // The depth of the last message of the page, seen from the root.
    let last = match query.order {
        SortOrder::Asc => skipped + wanted,
        SortOrder::Desc => total - skipped,
    };
    let last = rows
        .ancestor_at(head, i64::try_from(last).unwrap_or(i64::MAX))
        .await?;
    let mut messages = rows
        .path_end(last, Some(u32::try_from(wanted).unwrap_or(u32::MAX)))
        .await?;
    if query.order == SortOrder::Desc {
        messages.reverse();
    }
    Ok((messages, total))
}

/// A part of all messages; with the last part, the branches.
pub async fn messages_after(
    rows: &mut dyn Rows,
    user: UserId,
    id: ConversationId,
    after: MessageCursor,
    limit: u32,
) -> Result<MessageBatch, StoreError> {
    let conversation = existing(rows, user, id).await?;
    let (messages, next) = rows.messages_after(id, after, limit).await?;
    let is_last = messages.len() < limit as usize;
    let branches = match is_last {
        true => Some(rows.branches(id, conversation.active_branch_id).await?),
        false => None,
    };
    Ok(MessageBatch {
        messages,
        next,
        branches,
    })
}

/// A message with its relatives.
pub async fn message(
    rows: &mut dyn Rows,
    user: UserId,
    conversation: ConversationId,
    id: MessageId,
    relatives: Relatives,
) -> Result<MessageDetail, StoreError> {
    existing(rows, user, conversation).await?;
    let place = node(rows, conversation, id).await?;
    let child_messages = match relatives.children {
        true => Some(rows.children(conversation, Some(id)).await?),
        false => None,
    };
    let siblings = match relatives.siblings {
        true => {
            let mut all = rows.children(conversation, place.parent_id).await?;
            all.retain(|sibling| sibling.id != id);
            Some(all)
        }
        false => None,
    };
    let thread = match relatives.thread {
        true => Some(rows.path_end(Some(id), None).await?),
        false => None,
    };
    Ok(MessageDetail {
        message: super::messages::shown(rows, id).await?,
        child_messages,
        siblings,
        thread,
    })
}

async fn existing(rows: &mut dyn Rows, user: UserId, id: ConversationId) -> Result<Conversation, StoreError> {
    rows.conversation(user, id)
        .await?
        .ok_or(StoreError::ConversationNotFound)
}
