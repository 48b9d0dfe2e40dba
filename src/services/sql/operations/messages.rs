//! Adding, editing and deleting messages without a model.

use chrono::{DateTime, Utc};

use super::place::{self, NewFork, RowBuilder, check_message_limit};
use super::turns::{parts, set_content};
use super::{Environment, cut, lock, node, preview_of, refresh_preview, refuse_running};
use crate::models::ids::{ConversationId, MessageId, UserId};
use crate::models::message::{DeletedMessage, EditedMessage, Message, Role};
use crate::services::conversations::{MessageEdit, NewBranchName, NewMessage, StoreError};
use crate::services::sql::rows::{ConversationRow, NewText, Node, Rows};

/// Adds a message without asking a model.
pub async fn add_message(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    conversation_id: ConversationId,
    new: NewMessage,
) -> Result<Message, StoreError> {
    let mut conversation = lock(rows, user, conversation_id).await?;
    let place = place::named(rows, &conversation, new.branch, new.parent).await?;
    let running = rows.running(conversation_id).await?;
    refuse_running(&running, |answer| {
        [Some(answer.user_message_id), Some(answer.message_id)].contains(&place.parent)
    })?;
    check_message_limit(environment, &conversation, 1)?;
    let mut place = place.fork_if_needed(rows, environment, &mut conversation).await?;
    let (id, now) = (MessageId::new(&environment.clock), environment.clock.now());
    let mut row = RowBuilder::new(conversation_id)
        .row_below(rows, id, place.branch.id, place.parent, now)
        .await?;
    row.role = new.role;
    row.metadata = new.metadata;
    set_content(&mut row, &new.content)?;
    if row.role == Role::User && conversation.shown.preview.is_none() {
        conversation.shown.preview = Some(preview_of(&row.content));
    }
    rows.insert_messages(user, conversation_id, &[row]).await?;
    place.advance(rows, id, now).await?;
    added(rows, &mut conversation, now).await?;
    shown(rows, id).await
}

/// Gives a message of the user another text, in place or beside it.
pub async fn edit_message(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    conversation_id: ConversationId,
    id: MessageId,
    edit: MessageEdit,
) -> Result<EditedMessage, StoreError> {
    let conversation = lock(rows, user, conversation_id).await?;
    let message = node(rows, conversation_id, id).await?;
    if message.role != Role::User {
        return Err(StoreError::Conflict("Only messages of the user can be edited."));
    }
    match &edit.new_branch {
        None => edit_in_place(rows, environment, conversation, id, &edit).await,
        Some(name) => edit_beside(rows, environment, conversation, &message, &edit, name).await,
    }
}

async fn edit_in_place(
    rows: &mut dyn Rows,
    environment: &Environment,
    mut conversation: ConversationRow,
    id: MessageId,
    edit: &MessageEdit,
) -> Result<EditedMessage, StoreError> {
    let running = rows.running(conversation.shown.id).await?;
    refuse_running(&running, |answer| answer.user_message_id == id)?;
    let (now, parts) = (environment.clock.now(), parts(&edit.content)?);
    let text = NewText {
        content: &edit.content.text(),
        parts: parts.as_deref(),
        edited: true,
        source_hash: None,
        updated_at: now,
    };
    rows.set_text(id, text).await?;
    refresh_preview(rows, &mut conversation).await?;
    conversation.shown.updated_at = now;
    rows.save_conversation(&conversation).await?;
    Ok(EditedMessage {
        message: shown(rows, id).await?,
        branch: None,
    })
}

async fn edit_beside(
    rows: &mut dyn Rows,
    environment: &Environment,
    mut conversation: ConversationRow,
    message: &Node,
    edit: &MessageEdit,
    name: &NewBranchName,
) -> Result<EditedMessage, StoreError> {
    check_message_limit(environment, &conversation, 1)?;
    let user = conversation.shown.user_id;
    let conversation_id = conversation.shown.id;
    let fork = NewFork::active(message.parent_id, name.0.as_deref());
    let mut place = place::fork(rows, environment, &mut conversation, fork).await?;
    let (id, now) = (MessageId::new(&environment.clock), environment.clock.now());
    let mut row = RowBuilder::new(conversation_id)
        .row_below(rows, id, place.branch.id, message.parent_id, now)
        .await?;
    set_content(&mut row, &edit.content)?;
    rows.insert_messages(user, conversation_id, &[row]).await?;
    place.advance(rows, id, now).await?;
    added(rows, &mut conversation, now).await?;
    let branches = rows.branches(conversation_id, place.branch.id).await?;
    Ok(EditedMessage {
        message: shown(rows, id).await?,
        branch: branches.into_iter().find(|branch| branch.id == place.branch.id),
    })
}

/// Removes a message and all that follows it.
pub async fn delete_message(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    conversation_id: ConversationId,
    id: MessageId,
) -> Result<DeletedMessage, StoreError> {
    let mut conversation = lock(rows, user, conversation_id).await?;
    let message = node(rows, conversation_id, id).await?;
    let ids = rows.subtree(id).await?;
    let running = rows.running(conversation_id).await?;
    refuse_running(&running, |answer| ids.contains(&answer.message_id))?;
    let now = environment.clock.now();
    let deleted = cut(rows, &mut conversation, &message, &ids, now).await?;
    refresh_preview(rows, &mut conversation).await?;
    conversation.shown.updated_at = now;
    rows.save_conversation(&conversation).await?;
    Ok(DeletedMessage {
        id,
        deleted: true,
        deleted_message_count: deleted,
    })
}

/// Counts one more message.
async fn added(
    rows: &mut dyn Rows,
    conversation: &mut ConversationRow,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    conversation.shown.message_count += 1;
    conversation.shown.updated_at = now;
    conversation.shown.last_message_at = conversation.shown.last_message_at.max(Some(now));
    Ok(rows.save_conversation(conversation).await?)
}

/// A message as it is shown.
pub(super) async fn shown(rows: &mut dyn Rows, id: MessageId) -> Result<Message, StoreError> {
    let mut messages = rows.messages_by_id(&[id]).await?;
    messages.pop().ok_or(StoreError::MessageNotFound)
}
