//! Conversations: what they are, what may be done with them, and the interface behind which they are kept.
//!
//! - [`ConversationStore`]: that interface; `changes` has what it is asked for, `turn` how a chat goes through it
//! - [`ConversationService`]: what users may do; [`RunningAnswers`] is what it asks of the generation engine
//! - [`CachedConversations`]: a store with a cache in front
//! - `context`: from a path to what a model is sent
//! - [`search`]: how text is searched, on every store alike
//! - [`transfer`]: export and import
//!
//! The SQL is in [`services::sql`](crate::services::sql).

mod cached;
mod changes;
mod context;
mod error;
mod limits;
mod running;
pub mod search;
mod service;
mod store;
mod title;
pub mod transfer;
mod tree;
mod turn;

pub use cached::CachedConversations;
pub use changes::{
    BranchChanges, ConversationChanges, ConversationFilter, ConversationOrder, ImportOutcome, Merge,
    MessageCursor, MessageEdit, MessageFilter, NewBranch, NewBranchName, NewConversation, NewMessage,
    PathQuery, Relatives,
};
pub use context::{ContextMessage, context_size, model_messages, unanswered_calls};
pub use error::StoreError;
pub use limits::{
    IMAGE_ADDRESS, MAX_BRANCH_NAME_CHARS, MAX_METADATA_BYTES, MAX_METADATA_DEPTH, MAX_MODEL_CHARS,
    MAX_SYSTEM_MESSAGE_CHARS, MAX_TITLE_CHARS, StoreLimits, check_branch_name, check_content,
    check_message_metadata, check_metadata, check_model, check_system_message, check_title, is_image_address,
};
pub use running::RunningAnswers;
pub use service::{BranchOrder, ConversationParts, ConversationService, ConversationSettings, Export};
pub use store::{ConversationStore, MessageBatch};
pub use title::title_from_answer;
pub use tree::tree_json;
pub use turn::{
    AnswerOutcome, ChatDefaults, FinishedAnswer, IdempotencyKey, KEYS_KEPT, NewTurn, ToolResult, Turn,
    TurnInput, TurnTarget,
};
