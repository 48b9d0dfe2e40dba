//! Conversations as the API shows and takes them.

mod import;
mod requests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::branch::{Branch, ModelCount};
use super::ids::{BranchId, ConversationId, MessageId, UserId};
use super::message::Message;
use super::money::Money;
use crate::utils::errors::ErrorObject;

pub use import::{ImportReport, ImportResult, ImportStatus};
pub use requests::{
    BatchOperation, BatchRequest, ConversationSort, CreateConversationRequest, StatsPeriod, StatusFilter,
    UpdateConversationRequest,
};

/// Whether a conversation is in use or put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConversationStatus {
    /// In use.
    Active,
    /// Put away.
    Archived,
}

impl ConversationStatus {
    /// The name, as stored and as shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Archived]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// A conversation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Given, or the beginning of the first answer; null until there is either.
    #[schema(example = "Quantum computing")]
    pub title: Option<String>,
    /// The model that answers unless a message names another.
    pub model: Option<String>,
    /// Whether it is in use or put away.
    pub status: ConversationStatus,
    /// What the model is told before the first message.
    pub system_message: Option<String>,
    /// Data of the client's own.
    #[schema(value_type = Object)]
    pub metadata: Box<RawValue>,
    /// Whose it is.
    pub user_id: UserId,
    /// The branch that new messages go to unless said otherwise.
    pub active_branch_id: BranchId,
    /// Messages on all branches.
    pub message_count: u64,
    /// Branches.
    pub branch_count: u64,
    /// Tokens that its answers used.
    pub total_tokens: u64,
    /// What its answers cost, in US dollars, as far as the costs are known.
    #[schema(value_type = f64, example = 0.0125)]
    pub total_cost: Money,
    /// The beginning of the first user message, at most 200 characters.
    pub preview: Option<String>,
    /// What it is a copy of, if it was imported: `chatgpt:…` or `export:…` with the id there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imported_from: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When the newest message was stored.
    pub last_message_at: Option<DateTime<Utc>>,
}

/// A conversation that was found, and where.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConversationHit {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// The text around the best hit: HTML-escaped, the hits within `<mark>` and `</mark>`.
    #[schema(example = "how <mark>quantum</mark> computers work")]
    pub snippet: String,
    /// The message that the snippet is from; null where it is the title.
    pub message_id: Option<MessageId>,
}

/// What a user's conversations amount to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConversationStats {
    /// Conversations, archived ones included.
    pub conversations: u64,
    /// Of them, those in use.
    pub active: u64,
    /// Of them, those put away.
    pub archived: u64,
    /// Branches.
    pub branches: u64,
    /// Messages on all branches.
    pub messages: u64,
    /// Tokens that the answers used.
    pub total_tokens: u64,
    /// What the answers cost, in US dollars, as far as the costs are known.
    #[schema(value_type = f64, example = 1.25)]
    pub total_cost: Money,
    /// The models that answered, the most used first.
    pub models: Vec<ModelCount>,
    /// Conversations begun in each month that has any, the oldest first.
    pub by_month: Vec<MonthCount>,
}

/// How many conversations were begun in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MonthCount {
    /// The month, in UTC.
    #[schema(example = "2026-11")]
    pub month: String,
    /// Conversations begun in it.
    pub conversations: u64,
}

/// A conversation with its branches.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConversationDetail {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// All branches, the oldest first.
    pub branches: Vec<Branch>,
}

/// A conversation with everything in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FullConversation {
    /// The conversation.
    pub conversation: Conversation,
    /// All branches, the oldest first.
    pub branches: Vec<Branch>,
    /// Every message once, the oldest first.
    pub messages: Vec<Message>,
    /// The same messages as trees of ids, roots first; absent with `tree=false`. Two levels of JSON for each message on
    /// a path: of long conversations that is more than many parsers take, and the `parent_id` of each message tells the
    /// same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<TreeNode>>, nullable = false)]
    pub tree: Option<Box<RawValue>>,
}

/// A message's place in the tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct TreeNode {
    /// The message.
    pub id: MessageId,
    /// What follows it.
    #[schema(no_recursion)]
    pub children: Vec<Self>,
}

/// A conversation that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeletedConversation {
    /// Its id.
    pub id: ConversationId,
    /// Always true.
    #[schema(example = true)]
    pub deleted: bool,
}

/// What became of a batch.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BatchReport {
    /// One for each id that was given, in that order; an id that was given twice is there once.
    pub results: Vec<BatchResult>,
    /// How many of them are done.
    pub succeeded: usize,
    /// How many of them failed.
    pub failed: usize,
}

/// What became of one conversation of a batch.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BatchResult {
    /// The id, as it was given.
    pub id: String,
    /// Whether it is done.
    pub ok: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}
