//! Our own JSON export, read back to an equal tree.
//!
//! An export is written in pages while people may write into the conversation, so these are repaired:
//! - `streaming` becomes `interrupted`: nobody goes on with it here.
//! - Messages that no branch reaches were deleted meanwhile, and are dropped.
//! - A head that is not in the file came after the last page: the branch ends at the last message that was
//!   written on it, else at its fork.
//! - The export of one branch has no main branch and may name branches that are not in it: the first branch
//!   becomes the main one, and a message belongs to the first branch that reaches it.
//! - A fork that is not on the branch's path becomes the place where the path leaves the branches before it.

mod message;
mod structure;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::limits::{self, Bounded, MAX_BRANCHES, MAX_MESSAGES, Refusal};
use super::totals::Totals;
use super::{ImportedBranch, ImportedConversation, ImportedMessage, OWN_VERSION};
use crate::models::branch::BranchStatus;
use crate::models::conversation::ConversationStatus;
use crate::services::conversations::{MAX_BRANCH_NAME_CHARS, MAX_SYSTEM_MESSAGE_CHARS, MAX_TITLE_CHARS};

use message::Message;
use structure::{Ends, Structure};

#[derive(Deserialize)]
struct Document<'a> {
    version: u64,
    #[serde(borrow)]
    conversation: Conversation<'a>,
    #[serde(borrow)]
    messages: Bounded<Message<'a>, MAX_MESSAGES>,
    branches: Bounded<Branch, MAX_BRANCHES>,
}

#[derive(Deserialize)]
struct Conversation<'a> {
    id: Uuid,
    title: Option<String>,
    model: Option<String>,
    status: Option<ConversationStatus>,
    system_message: Option<String>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    active_branch_id: Option<Uuid>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Branch {
    id: Uuid,
    name: String,
    status: Option<BranchStatus>,
    #[serde(default)]
    is_main: bool,
    parent_message_id: Option<Uuid>,
    head_message_id: Option<Uuid>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
}

/// What a conversation of ours is known by.
pub(super) fn source(id: Uuid) -> String {
    format!("export:{id}")
}

/// Reads an export.
pub(super) fn conversation(json: &str) -> Result<ImportedConversation, Refusal> {
    let document: Document<'_> = limits::parse(json)?;
    if document.version != OWN_VERSION {
        return Err(Refusal::field("version", format_args!("must be {OWN_VERSION}")));
    }
    let conversation = document.conversation;
    conversation.check()?;
    let branches = main_first(document.branches.0)?;
    let structure = Structure::new(&document.messages.0, &branches)?;
    let mut totals = Totals::default();
    let messages = structure
        .kept
        .iter()
        .map(|kept| {
            let message = document.messages.0[kept.index].import(kept.index, &mut totals)?;
            Ok(ImportedMessage {
                parent: kept.parent,
                branch: kept.branch,
                ..message
            })
        })
        .collect::<Result<_, _>>()?;
    let active_branch = branches
        .iter()
        .position(|branch| Some(branch.id) == conversation.active_branch_id)
        .unwrap_or(0);
    Ok(ImportedConversation {
        source: source(conversation.id),
        title: conversation.title.filter(|title| !title.is_empty()),
        model: conversation.model,
        system_message: conversation.system_message,
        archived: conversation.status == Some(ConversationStatus::Archived),
        metadata: limits::metadata("conversation.metadata", conversation.metadata)?,
        created_at: conversation.created_at,
        updated_at: conversation.updated_at,
        messages,
        branches: branches
            .into_iter()
            .zip(structure.ends)
            .enumerate()
            .map(|(index, (branch, ends))| branch.import(index == 0, ends))
            .collect(),
        branches_are_leaves: false,
        active_branch,
    })
}

impl Conversation<'_> {
    fn check(&self) -> Result<(), Refusal> {
        if let Some(title) = &self.title {
            limits::check_name("conversation.title", title, MAX_TITLE_CHARS)?;
        }
        if let Some(model) = &self.model {
            limits::check_model("conversation.model", model)?;
        }
        if let Some(text) = &self.system_message {
            limits::check_chars("conversation.system_message", text, MAX_SYSTEM_MESSAGE_CHARS)?;
        }
        limits::check_time("conversation.created_at", self.created_at)?;
        limits::check_time("conversation.updated_at", self.updated_at)
    }
}

impl Branch {
    fn check(&self, index: usize) -> Result<(), Refusal> {
        let name = format!("branches[{index}].name");
        if self.name.is_empty() {
            return Err(Refusal::field(name, "is empty"));
        }
        limits::check_name(name, &self.name, MAX_BRANCH_NAME_CHARS)?;
        limits::check_time(format_args!("branches[{index}].created_at"), self.created_at)?;
        limits::check_time(format_args!("branches[{index}].updated_at"), self.updated_at)
    }

    fn import(self, is_main: bool, ends: Ends) -> ImportedBranch {
        ImportedBranch {
            source_id: self.id.to_string(),
            name: self.name,
            status: self.status.unwrap_or(BranchStatus::Active),
            is_main,
            fork: ends.fork,
            head: ends.head,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// The branches with the main one at the beginning, else in their order.
fn main_first(mut branches: Vec<Branch>) -> Result<Vec<Branch>, Refusal> {
    for (index, branch) in branches.iter().enumerate() {
        branch.check(index)?;
    }
    let mut mains = (0..branches.len()).filter(|index| branches[*index].is_main);
    let (main, second) = (mains.next(), mains.next());
    if second.is_some() {
        return Err(Refusal::field("branches", "has more than one main branch"));
    }
    if branches.is_empty() {
        return Err(Refusal::field("branches", "is empty"));
    }
    branches[..=main.unwrap_or(0)].rotate_right(1);
    Ok(branches)
}
