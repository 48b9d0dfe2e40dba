//! Copies of conversations from elsewhere.
//!
//! A copy has ids of its own and remembers what each part is a copy of. Importing the same conversation again finds the
//! earlier copy by that and brings it up to date. What somebody did to the copy here stays: messages that were added, texts
//! that were edited, branches that were written to.
//!
//! - `tree`: where everything goes
//! - `branches`: which branch follows which, the difficult part
//! - `provenance`: which messages are copies of others
//! - `fingerprint`: whether something was changed here
//! - `messages`: writing them

mod branches;
mod fingerprint;
mod messages;
mod provenance;
mod tree;

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use self::branches::Branches;
use self::tree::Tree;
use super::create::{empty_object, lock_user_below_limit, search_title};
use super::{Environment, lock, refresh_preview};
use crate::models::conversation::Conversation;
use crate::models::ids::{BranchId, ConversationId};
use crate::models::money::Money;
use crate::services::auth::Caller;
use crate::services::conversations::transfer::import::{
    ImportedBranch, ImportedConversation, MAX_MESSAGES, MAX_TOTAL,
};
use crate::services::conversations::{ImportOutcome, StoreError};
use crate::services::sql::rows::{BranchRow, ConversationRow, Edge, ImportedCopy, Rows};

/// An import in progress.
struct Import<'a> {
    rows: &'a mut dyn Rows,
    environment: &'a Environment,
    conversation: ConversationRow,
    now: DateTime<Utc>,
}

/// What is there of an earlier import, and what was added since.
#[derive(Default)]
struct There {
    branches: Vec<BranchRow>,
    edges: Vec<Edge>,
    copies: HashMap<String, ImportedCopy>,
}

/// Makes a copy, or brings an earlier one up to date. See
/// [`ConversationStore::import_conversation`](crate::services::conversations::ConversationStore).
pub async fn import_conversation(
    rows: &mut dyn Rows,
    environment: &Environment,
    caller: &Caller,
    imported: ImportedConversation,
) -> Result<(ConversationId, ImportOutcome), StoreError> {
    let now = environment.clock.now();
    // Whoever imports the same at the same time waits here, and then finds this copy.
    rows.lock_user(caller, now).await?;
    let (conversation, outcome) = match rows.copy_of(caller.user_id, &imported.source).await? {
        Some(id) => (lock(rows, caller.user_id, id).await?, ImportOutcome::Updated),
        None => {
            lock_user_below_limit(rows, environment, caller, now).await?;
            (
                new_conversation(environment, caller, &imported, now),
                ImportOutcome::Created,
            )
        }
    };
    let id = conversation.shown.id;
    let import = Import {
        rows,
        environment,
        conversation,
        now,
    };
    match outcome {
        ImportOutcome::Created => import.create(imported).await?,
        ImportOutcome::Updated => import.update(imported).await?,
    }
    Ok((id, outcome))
}

fn new_conversation(
    environment: &Environment,
    caller: &Caller,
    imported: &ImportedConversation,
    now: DateTime<Utc>,
) -> ConversationRow {
    let created_at = imported.created_at.unwrap_or(now);
    let mut row = ConversationRow {
        search_title: String::new(),
        source_hash: None,
        shown: Conversation {
            id: ConversationId::new(&environment.clock),
            title: None,
            model: None,
            status: fingerprint::status(imported),
            system_message: None,
            metadata: empty_object(),
            user_id: caller.user_id,
            active_branch_id: BranchId::new(&environment.clock),
            message_count: 0,
            branch_count: 0,
            total_tokens: 0,
            total_cost: Money::ZERO,
            preview: None,
            imported_from: Some(imported.source.clone()),
            created_at,
            updated_at: imported.updated_at.unwrap_or(created_at),
            last_message_at: None,
        },
    };
    take_over(&mut row, imported);
    row
}

/// Gives a copy what its source says of the conversation as a whole.
fn take_over(row: &mut ConversationRow, imported: &ImportedConversation) {
    let shown = &mut row.shown;
    shown.title.clone_from(&imported.title);
    shown.model.clone_from(&imported.model);
    shown.system_message.clone_from(&imported.system_message);
    shown.status = fingerprint::status(imported);
    shown.metadata = imported.metadata.clone().unwrap_or_else(empty_object);
    row.search_title = search_title(imported.title.as_deref());
    row.source_hash = Some(fingerprint::of_conversation(imported));
}

fn branch_row(import: &Import<'_>, branch: &ImportedBranch) -> BranchRow {
    let created_at = branch.created_at.unwrap_or(import.now);
    BranchRow {
        id: BranchId::new(&import.environment.clock),
        conversation_id: import.conversation.shown.id,
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

impl Import<'_> {
    async fn create(mut self, imported: ImportedConversation) -> Result<(), StoreError> {
        let there = There::default();
        let tree = Tree::new(
            &self.environment.clock,
            &there.edges,
            &there.copies,
            &imported.messages,
        )?;
        let branches = Branches::plan(&self, &imported, there.branches, &tree)?;
        let active = branches.id(imported.active_branch).or(branches.id(0));
        self.conversation.shown.active_branch_id = active.ok_or(StoreError::BranchNotFound)?;
        self.rows.insert_conversation(&self.conversation).await?;
        self.write(imported, &tree, branches, &there.copies).await?;
        self.save().await
    }

    async fn update(mut self, imported: ImportedConversation) -> Result<(), StoreError> {
        let there = self.there().await?;
        let tree = Tree::new(
            &self.environment.clock,
            &there.edges,
            &there.copies,
            &imported.messages,
        )?;
        let branches = Branches::plan(&self, &imported, there.branches, &tree)?;
        let followed = self.follow_source(&imported);
        let written = self.write(imported, &tree, branches, &there.copies).await?;
        if followed || written {
            self.conversation.shown.updated_at = self.now;
        }
        self.save().await
    }

    async fn there(&mut self) -> Result<There, StoreError> {
        let id = self.conversation.shown.id;
        let copies = self.rows.imported_copies(id).await?;
        Ok(There {
            branches: self.rows.branch_rows(id).await?,
            edges: self.rows.edges(id).await?,
            copies: copies
                .into_iter()
                .map(|copy| (copy.source_id.clone(), copy))
                .collect(),
        })
    }

    /// What changed at the source of the conversation as a whole changes here, unless something of it was changed here.
    fn follow_source(&mut self, imported: &ImportedConversation) -> bool {
        let last = self.conversation.source_hash;
        let has_changed = last != Some(fingerprint::of_conversation(imported));
        let follows = has_changed && last == Some(fingerprint::of_shown(&self.conversation.shown));
        if follows {
            take_over(&mut self.conversation, imported);
        }
        follows
    }

    /// Writes messages and branches; tells whether anything changed.
    async fn write(
        &mut self,
        imported: ImportedConversation,
        tree: &Tree,
        branches: Branches<'_>,
        copies: &HashMap<String, ImportedCopy>,
    ) -> Result<bool, StoreError> {
        self.check_room(tree.coming())?;
        let shown = &mut self.conversation.shown;
        shown.branch_count += branches.coming() as u64;
        shown.message_count += tree.coming() as u64;
        branches.insert_new(self).await?;
        let changed = messages::write(self, imported, tree, &branches, copies).await?;
        let moved = branches.save(self).await?;
        Ok(changed || moved)
    }

    /// Refuses what would make a copy grow, import by import, beyond what a single one may bring.
    fn check_room(&self, coming: usize) -> Result<(), StoreError> {
        let current = self.conversation.shown.message_count;
        if coming > 0 && current.saturating_add(coming as u64) > MAX_MESSAGES as u64 {
            return Err(StoreError::LimitReached {
                what: "messages of an imported conversation",
                limit: u32::try_from(MAX_MESSAGES).unwrap_or(u32::MAX),
                current,
            });
        }
        Ok(())
    }

    async fn save(mut self) -> Result<(), StoreError> {
        let shown = &self.conversation.shown;
        if shown.total_tokens > MAX_TOTAL || shown.total_cost.nano().unsigned_abs() > MAX_TOTAL {
            return Err(StoreError::Conflict(
                "Its messages used more tokens, or cost more, than can be added up.",
            ));
        }
        refresh_preview(self.rows, &mut self.conversation).await?;
        Ok(self.rows.save_conversation(&self.conversation).await?)
    }
}
