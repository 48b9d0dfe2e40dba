//! The messages of an imported conversation.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::Surroundings;
use super::super::place::Planter;
use crate::models::ids::{BranchId, MessageId};
use crate::models::money::Money;
use crate::services::conversations::StoreError;
use crate::services::conversations::transfer::import::{ImportedConversation, ImportedMessage};
use crate::services::sql::rows::{ConversationRow, ImportedText, MessageRow, Rows};
use crate::utils::database::DatabaseError;
use crate::utils::json::RawObject;

/// Writes what is not there yet; tells the message that each imported one is now.
pub(super) async fn copy(
    rows: &mut dyn Rows,
    around: &Surroundings,
    conversation: &mut ConversationRow,
    imported: &ImportedConversation,
    owners: &[BranchId],
) -> Result<Vec<MessageId>, StoreError> {
    let id = conversation.shown.id;
    let known = rows.imported_texts(id).await?;
    let known: HashMap<&str, &ImportedText> =
        known.iter().map(|copy| (copy.source_id.as_str(), copy)).collect();
    let by_source: HashMap<&str, usize> = imported
        .messages
        .iter()
        .enumerate()
        .map(|(index, message)| (message.source_id.as_str(), index))
        .collect();
    let mut copies = Copies {
        imported,
        owners,
        by_source,
        ids: Vec::with_capacity(imported.messages.len()),
        origins: Vec::with_capacity(imported.messages.len()),
    };
    let mut planter = Planter::new(id);
    let mut new = Vec::new();
    for message in &imported.messages {
        match known.get(message.source_id.as_str()) {
            Some(copy) => {
                update_text(rows, around, message, copy).await?;
                copies.add(copy.id, copy.origin);
            }
            None => {
                let row = copies.new_row(rows, around, &mut planter, message).await?;
                copies.add(row.id, row.origin_id.unwrap_or(row.id));
                add_up(conversation, &row);
                new.push(row);
            }
        }
    }
    rows.insert_messages(conversation.shown.user_id, id, &new).await?;
    Ok(copies.ids)
}

/// A text that changed at its source changes here, unless it was edited here.
async fn update_text(
    rows: &mut dyn Rows,
    around: &Surroundings,
    message: &ImportedMessage,
    copy: &ImportedText,
) -> Result<(), StoreError> {
    if copy.content == message.content || (copy.edited && !message.edited) {
        return Ok(());
    }
    let now = message.updated_at.unwrap_or_else(|| around.clock.now());
    let parts = message.parts.as_deref();
    Ok(rows
        .set_text(copy.id, &message.content, parts, message.edited, now)
        .await?)
}

fn add_up(conversation: &mut ConversationRow, row: &MessageRow) {
    let shown = &mut conversation.shown;
    shown.message_count += 1;
    shown.last_message_at = shown.last_message_at.max(Some(row.created_at));
    if let Some(usage) = &row.usage {
        let cost = usage.cost_usd.unwrap_or_default();
        shown.total_tokens = shown.total_tokens.saturating_add(usage.total_tokens);
        shown.total_cost = Money::from_nano(shown.total_cost.nano().saturating_add(cost.nano()));
    }
}

/// What the imported messages have become, as far as they are copied: parents come before their children.
struct Copies<'a> {
    imported: &'a ImportedConversation,
    owners: &'a [BranchId],
    by_source: HashMap<&'a str, usize>,
    ids: Vec<MessageId>,
    origins: Vec<MessageId>,
}

impl Copies<'_> {
    fn add(&mut self, id: MessageId, origin: MessageId) {
        self.ids.push(id);
        self.origins.push(origin);
    }

    async fn new_row(
        &self,
        rows: &mut dyn Rows,
        around: &Surroundings,
        planter: &mut Planter,
        message: &ImportedMessage,
    ) -> Result<MessageRow, StoreError> {
        let branch = self.owners.get(message.branch).copied();
        let branch = branch.ok_or(StoreError::BranchNotFound)?;
        let parent = match message.parent {
            Some(parent) => Some(self.ids.get(parent).copied().ok_or(StoreError::MessageNotFound)?),
            None => None,
        };
        let created_at = message.created_at.unwrap_or_else(|| around.clock.now());
        let id = MessageId::new(&around.clock);
        let place = planter.plant(rows, id, branch, parent, created_at).await?;
        Ok(MessageRow {
            role: message.role,
            content: message.content.clone(),
            parts: message.parts.clone(),
            model: message.model.clone(),
            status: message.status,
            finish_reason: message.finish_reason.clone(),
            usage: message.usage.clone(),
            latency_ms: message.latency_ms,
            first_token_ms: message.first_token_ms,
            tool_calls: message.tool_calls.clone(),
            tool_call_id: message.tool_call_id.clone(),
            reasoning: message.reasoning.clone(),
            metadata: self.metadata(message)?,
            edited: message.edited,
            origin_id: self.origin(message),
            source_id: Some(message.source_id.clone()),
            updated_at: message.updated_at.unwrap_or(created_at),
            ..place
        })
    }

    /// What a merged copy is a copy of in the end: known by its new id, if it is in the file too.
    fn origin(&self, message: &ImportedMessage) -> Option<MessageId> {
        let from = &message.merged_from.as_ref()?.message;
        let known = self
            .by_source
            .get(from.as_str())
            .and_then(|at| self.origins.get(*at));
        known
            .copied()
            .or_else(|| Uuid::parse_str(from).ok().map(MessageId))
    }

    /// The metadata, in which `merged_from` names the new ids.
    fn metadata(&self, message: &ImportedMessage) -> Result<Option<Box<RawValue>>, StoreError> {
        let (Some(from), Some(metadata)) = (&message.merged_from, &message.metadata) else {
            return Ok(message.metadata.clone());
        };
        let branch = self
            .imported
            .branches
            .iter()
            .position(|branch| branch.source_id == from.branch)
            .and_then(|at| self.owners.get(at));
        let copied = self
            .by_source
            .get(from.message.as_str())
            .and_then(|at| self.ids.get(*at));
        let merged_from = MergedFrom {
            branch_id: branch.map_or_else(|| from.branch.clone(), ToString::to_string),
            message_id: copied.map_or_else(|| from.message.clone(), ToString::to_string),
        };
        let corrupt = |error: serde_json::Error| DatabaseError::corrupt("metadata", error);
        let mut metadata: RawObject = serde_json::from_str(metadata.get()).map_err(corrupt)?;
        metadata.set_value("merged_from", &merged_from).map_err(corrupt)?;
        Ok(Some(serde_json::value::to_raw_value(&metadata).map_err(corrupt)?))
    }
}

#[derive(Serialize)]
struct MergedFrom {
    branch_id: String,
    message_id: String,
}
