//! The messages of an imported conversation.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::super::place::RowBuilder;
use super::branches::Branches;
use super::provenance::{self, Provenance};
use super::tree::Tree;
use super::{Import, fingerprint};
use crate::models::ids::{BranchId, MessageId};
use crate::models::message::MergedFrom;
use crate::models::money::Money;
use crate::services::conversations::StoreError;
use crate::services::conversations::transfer::import::{ImportedConversation, ImportedMessage};
use crate::services::sql::rows::{ConversationRow, ImportedCopy, MessageRow, NewText};
use crate::utils::database::DatabaseError;

/// Messages that are held as rows at once.
const BATCH: usize = 500;

/// Writes what is not there yet, and the texts that changed; tells whether there was any.
pub(super) async fn write(
    import: &mut Import<'_>,
    imported: ImportedConversation,
    tree: &Tree,
    branches: &Branches<'_>,
    copies: &HashMap<String, ImportedCopy>,
) -> Result<bool, StoreError> {
    let mut writing = Writing {
        tree,
        branches,
        copies,
        owners: branches.owners(&imported)?,
        merged: provenance::of_merged(&imported),
        origins: Vec::with_capacity(imported.messages.len()),
        builder: RowBuilder::new(import.conversation.shown.id),
    };
    let mut new = Vec::new();
    let mut changed = Vec::new();
    for (at, message) in imported.messages.into_iter().enumerate() {
        if let Some(copy) = copies.get(&message.source_id) {
            writing.origins.push(copy.origin);
            if copy.source_hash != Some(fingerprint::of_message(&message)) {
                changed.push((message, copy));
            }
            continue;
        }
        let row = writing.row(import, at, message).await?;
        add_up(&mut import.conversation, &row);
        new.push(row);
        if new.len() == BATCH {
            insert(import, &mut new).await?;
        }
    }
    insert(import, &mut new).await?;
    let mut any = tree.coming() > 0;
    for batch in changed.chunks(BATCH) {
        any |= update_texts(import, batch).await?;
    }
    Ok(any)
}

async fn insert(import: &mut Import<'_>, new: &mut Vec<MessageRow>) -> Result<(), StoreError> {
    let shown = &import.conversation.shown;
    import.rows.insert_messages(shown.user_id, shown.id, new).await?;
    new.clear();
    Ok(())
}

/// Texts that changed at their source change here, unless they were changed here.
async fn update_texts(
    import: &mut Import<'_>,
    changed: &[(ImportedMessage, &ImportedCopy)],
) -> Result<bool, StoreError> {
    let ids: Vec<MessageId> = changed.iter().map(|(_, copy)| copy.id).collect();
    let present = import.rows.message_rows(&ids).await?;
    let present: HashMap<MessageId, i64> = present
        .iter()
        .map(|row| (row.id, fingerprint::of_row(row)))
        .collect();
    let mut any = false;
    for (message, copy) in changed {
        if copy.source_hash.is_none() || copy.source_hash != present.get(&copy.id).copied() {
            continue;
        }
        let text = NewText {
            content: &message.content,
            parts: message.parts.as_deref(),
            edited: message.edited,
            source_hash: Some(fingerprint::of_message(message)),
            updated_at: message.updated_at.unwrap_or(import.now),
        };
        import.rows.set_text(copy.id, text).await?;
        any = true;
    }
    Ok(any)
}

fn add_up(conversation: &mut ConversationRow, row: &MessageRow) {
    let shown = &mut conversation.shown;
    shown.last_message_at = shown.last_message_at.max(Some(row.created_at));
    if let Some(usage) = &row.usage {
        let cost = usage.cost_usd.unwrap_or_default();
        shown.total_tokens = shown.total_tokens.saturating_add(usage.total_tokens);
        shown.total_cost = Money::from_nano(shown.total_cost.nano().saturating_add(cost.nano()));
    }
}

/// What rows are made by.
struct Writing<'t> {
    tree: &'t Tree,
    branches: &'t Branches<'t>,
    copies: &'t HashMap<String, ImportedCopy>,
    owners: Vec<BranchId>,
    merged: HashMap<usize, Provenance>,
    /// What the messages before are copies of in the end: themselves, if no merge made them.
    origins: Vec<MessageId>,
    builder: RowBuilder,
}

impl Writing<'_> {
    async fn row(
        &mut self,
        import: &mut Import<'_>,
        at: usize,
        message: ImportedMessage,
    ) -> Result<MessageRow, StoreError> {
        let (node, branch) = match (self.tree.nodes.get(at), self.owners.get(at)) {
            (Some(node), Some(branch)) => (*node, *branch),
            _ => return Err(StoreError::MessageNotFound),
        };
        let (id, parent) = (self.tree.ids[node], self.tree.parents[node]);
        let parent = parent.map(|parent| self.tree.ids[parent]);
        let created_at = message.created_at.unwrap_or(import.now);
        let place = self
            .builder
            .row_below(import.rows, id, branch, parent, created_at)
            .await?;
        let provenance = self.merged.get(&at);
        let original = provenance.and_then(|provenance| provenance.copy_of);
        let origin_id = original.and_then(|original| self.origins.get(original).copied());
        self.origins.push(origin_id.unwrap_or(id));
        Ok(MessageRow {
            metadata: match provenance {
                Some(provenance) => Some(self.metadata(provenance, message.metadata.as_deref())?),
                None => message.metadata.clone(),
            },
            origin_id,
            source_hash: Some(fingerprint::of_message(&message)),
            role: message.role,
            content: message.content,
            parts: message.parts,
            model: message.model,
            status: message.status,
            finish_reason: message.finish_reason,
            usage: message.usage,
            latency_ms: message.latency_ms,
            first_token_ms: message.first_token_ms,
            tool_calls: message.tool_calls,
            tool_call_id: message.tool_call_id,
            reasoning: message.reasoning,
            edited: message.edited,
            source_id: Some(message.source_id),
            updated_at: message.updated_at.unwrap_or(created_at),
            ..place
        })
    }

    /// The metadata, naming where the message came from by the ids that this has here, be it in the file or not any more.
    fn metadata(
        &self,
        provenance: &Provenance,
        metadata: Option<&RawValue>,
    ) -> Result<Box<RawValue>, DatabaseError> {
        let MergedFrom {
            branch_id,
            message_id,
        } = provenance.from;
        let branch = provenance.branch.and_then(|branch| self.branches.id(branch));
        let branch = branch.or_else(|| self.branches.of_source(&branch_id.to_string()));
        let message = self.tree.node(provenance.message).map(|node| self.tree.ids[node]);
        let copy = || self.copies.get(&message_id.to_string());
        let from = MergedFrom {
            branch_id: branch.unwrap_or(branch_id),
            message_id: message.or_else(|| Some(copy()?.id)).unwrap_or(message_id),
        };
        from.write(metadata)
            .map_err(|error| DatabaseError::corrupt("metadata", error))
    }
}
