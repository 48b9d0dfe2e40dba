//! Conversations: the interface behind which they are kept, whoever keeps them.
//!
//! A method is a business operation with its transaction inside, and takes the user it acts for: no method can
//! read or change another user's rows. Reads answer `Ok(None)` for what is not there; what belongs to someone
//! else is not there.
//!
//! # Adding a store method
//! Add it to [`ConversationStore`] with its invariants in the doc comment, implement it in every store
//! (`services::sql::sqlite::…`), and give it a test that runs through the real server.

mod context;
mod error;
mod limits;
pub mod search;
mod service;
mod title;
mod tree;
mod turn;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::value::RawValue;

pub use context::{ContextMessage, model_messages, unanswered_calls};
pub use error::StoreError;
pub use limits::{MAX_SYSTEM_MESSAGE_CHARS, check_length, check_model};
pub use service::ConversationService;
pub use title::title_from_answer;
pub use tree::tree_json;
pub use turn::{
    AnswerOutcome, AnswerUsage, FinishedAnswer, NewTurn, ToolResult, Turn, TurnInput, TurnTarget,
};

use crate::models::common::Page;
use crate::models::conversation::{Conversation, ConversationDetail, ConversationFilter, FullConversation};
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::services::auth::Caller;

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

/// What a conversation says about its answers.
#[derive(Debug, Clone)]
pub struct ChatDefaults {
    /// The model of the conversation.
    pub model: Option<String>,
}

/// How many of a thing one owner may have. They bind writes of users.
#[derive(Debug, Clone, Copy)]
pub struct StoreLimits {
    /// Conversations of a user.
    pub conversations: u32,
    /// Branches of a conversation.
    pub branches: u32,
    /// Messages of a conversation.
    pub messages: u32,
    /// The newest messages that become context.
    pub context_messages: u32,
}

/// Where conversations, branches and messages are kept.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// What it is, for `/health`.
    fn name(&self) -> &'static str;

    /// Whether it answers.
    ///
    /// # Errors
    /// Why it does not.
    async fn check(&self) -> Result<(), StoreError>;

    /// Makes a conversation with an empty main branch.
    ///
    /// # Errors
    /// `LimitReached` at the user's limit, or a failing store.
    async fn create_conversation(
        &self,
        caller: &Caller,
        new: NewConversation,
    ) -> Result<ConversationDetail, StoreError>;

    /// One page of the caller's conversations, the last changed first, and how many there are.
    ///
    /// # Errors
    /// A failing store.
    async fn conversations(
        &self,
        user: UserId,
        filter: ConversationFilter,
        page: Page,
    ) -> Result<(Vec<Conversation>, u64), StoreError>;

    /// A conversation with its branches.
    ///
    /// # Errors
    /// A failing store.
    async fn conversation(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationDetail>, StoreError>;

    /// A conversation with every message, or with those on the path of one branch.
    ///
    /// # Errors
    /// `BranchNotFound`, or a failing store.
    async fn full_conversation(
        &self,
        user: UserId,
        id: ConversationId,
        branch: Option<BranchId>,
    ) -> Result<Option<FullConversation>, StoreError>;

    /// What a conversation says about its answers.
    ///
    /// # Errors
    /// A failing store.
    async fn chat_defaults(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<ChatDefaults>, StoreError>;

    /// In one transaction: finds or makes the conversation, forks a branch if the parent is not its head,
    /// appends the user's message and a `streaming` answer after it, claims that place for one generation, and
    /// returns the context for the model.
    ///
    /// # Errors
    /// What is not there, a limit, `GenerationInProgress`, tool results that fit no call, or a failing store;
    /// nothing has changed then.
    async fn append_turn(&self, caller: &Caller, turn: NewTurn) -> Result<Turn, StoreError>;

    /// In one transaction: writes the answer over its `streaming` placeholder, ends the generation and enters
    /// the usage into the ledger. Idempotent: an answer that is no longer `streaming` is left as it is. If the
    /// conversation was deleted meanwhile, only the ledger is written.
    ///
    /// # Errors
    /// A failing store.
    async fn save_answer(&self, answer: Arc<FinishedAnswer>) -> Result<(), StoreError>;
}
