//! What may be asked of a store: conversations, branches and messages as they are to be made or changed.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::models::branch::BranchStatus;
use crate::models::common::SortOrder;
use crate::models::conversation::{ConversationSort, ConversationStatus, StatusFilter};
use crate::models::ids::{BranchId, MessageId};
use crate::models::message::{MessageContent, Role};

/// A conversation that is to be made.
#[derive(Debug, Clone, Default)]
pub struct NewConversation {
    /// Its title, if it has one already.
    pub title: Option<String>,
    /// The model that answers unless a message names another.
    pub model: Option<String>,
    /// What the model is told first.
    pub system_message: Option<String>,
    /// The client's own data: a JSON object.
    pub metadata: Option<Box<RawValue>>,
}

/// What is to change in a conversation. `None` leaves a field, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct ConversationChanges {
    /// Its title.
    pub title: Option<Option<String>>,
    /// Its model.
    pub model: Option<Option<String>>,
    /// In use or put away.
    pub status: Option<ConversationStatus>,
    /// What the model is told first.
    pub system_message: Option<Option<String>>,
    /// The client's own data, as a whole.
    pub metadata: Option<Option<Box<RawValue>>>,
}

/// Which conversations are wanted. What is absent does not matter.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ConversationFilter {
    /// In use, put away, or both.
    pub status: StatusFilter,
    /// Of this model.
    pub model: Option<String>,
    /// Made at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Made before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// With more branches than the main one, or without.
    pub has_branches: Option<bool>,
    /// With at least so many messages.
    pub min_messages: Option<u64>,
    /// With at most so many messages.
    pub max_messages: Option<u64>,
}

/// The order of a list of conversations; equals are in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConversationOrder {
    /// What the list is sorted by.
    pub by: ConversationSort,
    /// Which end comes first.
    pub order: SortOrder,
}

/// A branch that is to be made.
#[derive(Debug, Clone)]
pub struct NewBranch {
    /// The message to fork at; the branch begins and ends there.
    pub fork: MessageId,
    /// Its name; else one is made from its number.
    pub name: Option<String>,
    /// Whether it becomes the active branch.
    pub activate: bool,
}

/// What is to change in a branch.
#[derive(Debug, Clone, Default)]
pub struct BranchChanges {
    /// Its name.
    pub name: Option<String>,
    /// What has become of it.
    pub status: Option<BranchStatus>,
}

/// How two branches are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merge {
    /// The branch to merge into; the main one if absent.
    pub target: Option<BranchId>,
    /// Refuse unless the target's head can simply be moved.
    pub fast_forward_only: bool,
    /// Delete the source afterwards, rather than call it merged.
    pub delete_source: bool,
    /// Refuse unless the target ends here.
    pub expected_target_head: Option<MessageId>,
    /// Change nothing, only tell.
    pub dry_run: bool,
}

/// A message that is to be added without asking a model.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Who speaks: anyone but a tool.
    pub role: Role,
    /// What is said.
    pub content: MessageContent,
    /// The branch; the active one if absent.
    pub branch: Option<BranchId>,
    /// The message to follow; the branch's head if absent. A branch is forked where it is not the head.
    pub parent: Option<MessageId>,
    /// The client's own data: a JSON object.
    pub metadata: Option<Box<RawValue>>,
}

/// A new text for a message of the user.
#[derive(Debug, Clone)]
pub struct MessageEdit {
    /// What is said instead.
    pub content: MessageContent,
    /// Leave the message as it is, and write this one beside it on a new, active branch of that name.
    pub new_branch: Option<NewBranchName>,
}

/// The name of a branch that is made on the way.
#[derive(Debug, Clone, Default)]
pub struct NewBranchName(pub Option<String>);

/// Which part of a conversation's tree is wanted, in the order of the path.
#[derive(Debug, Clone, Copy)]
pub struct PathQuery {
    /// The branch; the active one if absent.
    pub branch: Option<BranchId>,
    /// Only messages of this role.
    pub role: Option<Role>,
    /// From the root, or from the head.
    pub order: SortOrder,
}

/// Which of a message's relatives are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relatives {
    /// What follows it directly.
    pub children: bool,
    /// What else follows the same message.
    pub siblings: bool,
    /// The path that ends at it.
    pub thread: bool,
}

/// Which messages of a conversation are searched. What is absent does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct MessageFilter<'a> {
    /// Of this role.
    pub role: Option<Role>,
    /// Of this model.
    pub model: Option<&'a str>,
    /// On the path of this branch.
    pub branch: Option<BranchId>,
    /// Stored at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Stored before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Whose usage is at least so many tokens.
    pub min_tokens: Option<u64>,
    /// Whose usage is at most so many tokens.
    pub max_tokens: Option<u64>,
}

/// A place in the list of all messages of a conversation, in which parents come before their children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageCursor(pub i64);

/// What became of an imported conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportOutcome {
    /// A copy was made.
    Created,
    /// The earlier copy gained what it did not have.
    Updated,
}
