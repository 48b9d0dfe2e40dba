//! A conversation read from a file, in the form that a store writes: places instead of ids.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use crate::models::branch::BranchStatus;
use crate::models::message::{MergedFrom, MessageStatus, MessageUsage, Role};

/// A conversation that was read from a file.
///
/// Invariants: one tree or several, without cycles; [`messages`](Self::messages) has parents before children;
/// exactly one branch is main, which is the first; every fork is on the path of its head; every message is on
/// the path of some branch; every index is in range.
#[derive(Debug, Clone)]
pub struct ImportedConversation {
    /// Where it comes from: `chatgpt:<id>` or `export:<uuid>`, at most 200 characters. The same conversation has
    /// the same source in every file.
    pub source: String,
    /// At most 200 characters, no control characters.
    pub title: Option<String>,
    /// At most 100 characters.
    pub model: Option<String>,
    /// At most 8,000 characters.
    pub system_message: Option<String>,
    /// Whether it was put away.
    pub archived: bool,
    /// A JSON object; `None` for an empty one.
    pub metadata: Option<Box<RawValue>>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// At most [`MAX_MESSAGES`](super::MAX_MESSAGES), parents before children.
    pub messages: Vec<ImportedMessage>,
    /// At least one and at most [`MAX_BRANCHES`](super::MAX_BRANCHES); the main one first.
    pub branches: Vec<ImportedBranch>,
    /// Whether the source has no branches of its own, and each stands for a leaf of its tree.
    pub branches_are_leaves: bool,
    /// The index of the branch that new messages go to.
    pub active_branch: usize,
}

/// A message that was read from a file.
#[derive(Debug, Clone)]
pub struct ImportedMessage {
    /// Its id there, at most 200 characters; unique in the conversation.
    pub source_id: String,
    /// The index of the message before it.
    pub parent: Option<usize>,
    /// The index of the branch that it was written on.
    pub branch: usize,
    /// Who speaks.
    pub role: Role,
    /// The text, at most [`MAX_CONTENT_BYTES`](super::MAX_CONTENT_BYTES).
    pub content: String,
    /// The `OpenAI` content parts, where it is more than text; as bounded as the text.
    pub parts: Option<Box<RawValue>>,
    /// The model that wrote it, at most 100 characters.
    pub model: Option<String>,
    /// How complete it is; never `streaming`.
    pub status: MessageStatus,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// What it used and cost, so bounded that it can be added up with what a user's other messages did.
    pub usage: Option<MessageUsage>,
    /// Milliseconds from the start of the answer to its end.
    pub latency_ms: Option<u64>,
    /// Milliseconds from the start of the answer to its first token.
    pub first_token_ms: Option<u64>,
    /// The tools that the model wanted called: an array of calls.
    pub tool_calls: Option<Box<RawValue>>,
    /// The call that it answers.
    pub tool_call_id: Option<String>,
    /// What the model thought.
    pub reasoning: Option<String>,
    /// A JSON object as the file has it (`merged_from` included); `None` for an empty one.
    pub metadata: Option<Box<RawValue>>,
    /// What the message is said to be a copy of, by ids of the file; they may name what is not in it any more.
    pub merged_from: Option<MergedFrom>,
    /// Whether its text was changed after it was written.
    pub edited: bool,
    /// When it was stored.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A branch that was read from a file.
#[derive(Debug, Clone)]
pub struct ImportedBranch {
    /// Its id there, or what stands for one; unique in the conversation.
    pub source_id: String,
    /// At most 100 characters.
    pub name: String,
    /// What has become of it.
    pub status: BranchStatus,
    /// Whether it is the main branch.
    pub is_main: bool,
    /// The index of the message at which it forks; `None` for the main branch.
    pub fork: Option<usize>,
    /// The index of the message at which it ends; `None` while it is empty.
    pub head: Option<usize>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
}
