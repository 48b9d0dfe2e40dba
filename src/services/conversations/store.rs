//! The interface behind which conversations are kept, whoever keeps them.
//!
//! A method is a business operation with its transaction inside, and takes the user it acts for: no method can
//! read or change another user's rows, which are not there for it. Where an error is returned, nothing has changed.
//!
//! # Adding a store method
//! Add it to [`ConversationStore`] with its invariants in the doc comment, implement it in every store, and add it to
//! the contract suite that all stores have to pass.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::search::SearchQuery;
use super::transfer::import::ImportedConversation;
use super::{
    BranchChanges, ChatDefaults, ConversationChanges, ConversationFilter, ConversationOrder, FinishedAnswer,
    ImportOutcome, Merge, MessageCursor, MessageEdit, MessageFilter, NewBranch, NewConversation, NewMessage,
    NewTurn, PathQuery, Relatives, StoreError, Turn,
};
use crate::models::branch::{Branch, BranchStats, DeletedBranch, MergeResult};
use crate::models::common::Page;
use crate::models::conversation::{
    Conversation, ConversationDetail, ConversationHit, ConversationStats, FullConversation,
};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::models::message::{DeletedMessage, EditedMessage, Message, MessageDetail, MessageHit};
use crate::services::auth::Caller;

/// Where conversations, branches and messages are kept.
///
/// A conversation's messages are a forest by `parent_id`, its branches named paths in it. What holds at any time: every
/// message is on the path of a branch, a branch's fork is on its path, the active branch exists, exactly one branch is
/// the main one, and the counts are those of what is there.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// What it is, for `/health`.
    fn name(&self) -> &'static str;

    /// Whether it answers.
    ///
    /// # Errors
    /// Why it does not.
    async fn check(&self) -> Result<(), StoreError>;

    // Conversations

    /// Makes a conversation with an empty main branch.
    ///
    /// # Errors
    /// `LimitReached` at the user's limit, or a failing store.
    async fn create_conversation(
        &self,
        caller: &Caller,
        new: NewConversation,
    ) -> Result<ConversationDetail, StoreError>;

    /// One page of the user's conversations that pass the filter and, with a query, match it in title or messages
    /// (of which only the [newest hits](super::search::MAX_HITS) count); and how many there are.
    ///
    /// # Errors
    /// A failing store.
    async fn conversations(
        &self,
        user: UserId,
        query: Option<&SearchQuery>,
        filter: &ConversationFilter,
        order: ConversationOrder,
        page: Page,
    ) -> Result<(Vec<Conversation>, u64), StoreError>;

    /// One page of the user's conversations that match the query and pass the filter, the best first; and how many
    /// there are.
    ///
    /// # Errors
    /// A failing store.
    async fn search_conversations(
        &self,
        user: UserId,
        query: &SearchQuery,
        filter: &ConversationFilter,
        page: Page,
    ) -> Result<(Vec<ConversationHit>, u64), StoreError>;

    /// What the conversations made since then amount to.
    ///
    /// # Errors
    /// A failing store.
    async fn conversation_stats(
        &self,
        user: UserId,
        since: Option<DateTime<Utc>>,
    ) -> Result<ConversationStats, StoreError>;

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

    /// Changes a conversation.
    ///
    /// # Errors
    /// `ConversationNotFound`, or a failing store.
    async fn update_conversation(
        &self,
        user: UserId,
        id: ConversationId,
        changes: ConversationChanges,
    ) -> Result<Conversation, StoreError>;

    /// Removes a conversation with its branches and messages. Answers that are being written there are lost.
    ///
    /// # Errors
    /// `ConversationNotFound`, or a failing store.
    async fn delete_conversation(&self, user: UserId, id: ConversationId) -> Result<(), StoreError>;

    // Branches

    /// Makes a branch that forks at a message.
    ///
    /// # Errors
    /// What is not there, `LimitReached`, or a failing store.
    async fn create_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        new: NewBranch,
    ) -> Result<Branch, StoreError>;

    /// Changes a branch.
    ///
    /// # Errors
    /// What is not there, or a failing store.
    async fn update_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
        changes: BranchChanges,
    ) -> Result<Branch, StoreError>;

    /// Makes a branch the active one, and its status `active`.
    ///
    /// # Errors
    /// What is not there, or a failing store.
    async fn activate_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<Branch, StoreError>;

    /// Removes a branch, and the messages that no other branch reaches.
    ///
    /// # Errors
    /// What is not there, `BranchIsMain`, `BranchIsActive`, `GenerationInProgress` on a message that would go, or a
    /// failing store.
    async fn delete_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<DeletedBranch, StoreError>;

    /// Merges a branch into another. Let the base be the last message that both paths share. If the target ends there,
    /// its head moves to the source's head. Else what the source has after the base, and the target does not have from
    /// an earlier merge, is copied to the end of the target.
    ///
    /// # Errors
    /// What is not there, `Conflict` (the same branch, another head than expected, no fast-forward), `BranchIsMain`
    /// (to be deleted), `LimitReached`, `GenerationInProgress` on either branch, or a failing store.
    async fn merge_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        source: BranchId,
        merge: Merge,
    ) -> Result<MergeResult, StoreError>;

    /// What is on a branch.
    ///
    /// # Errors
    /// What is not there, or a failing store.
    async fn branch_stats(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<BranchStats, StoreError>;

    // Messages

    /// One page of the path of a branch, and how many messages it has (of that role).
    ///
    /// # Errors
    /// What is not there, or a failing store.
    async fn path(
        &self,
        user: UserId,
        conversation: ConversationId,
        query: PathQuery,
        page: Page,
    ) -> Result<(Vec<Message>, u64), StoreError>;

    /// At most so many messages after a place in the list of all, and the place after them; with the last of them (a
    /// list that is shorter than `limit`), the branches as they were at that moment.
    ///
    /// # Errors
    /// What is not there, or a failing store.
    async fn messages_after(
        &self,
        user: UserId,
        conversation: ConversationId,
        after: MessageCursor,
        limit: u32,
    ) -> Result<MessageBatch, StoreError>;

    /// A message with its relatives.
    ///
    /// # Errors
    /// What is not there, or a failing store.
    async fn message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
        relatives: Relatives,
    ) -> Result<MessageDetail, StoreError>;

    /// Adds a message without asking a model.
    ///
    /// # Errors
    /// What is not there, `LimitReached`, `GenerationInProgress` at that place, or a failing store.
    async fn add_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        new: NewMessage,
    ) -> Result<Message, StoreError>;

    /// Gives a message of the user another text, in place or beside it.
    ///
    /// # Errors
    /// What is not there, `Conflict` for a message that is not the user's, `LimitReached`, `GenerationInProgress` while
    /// it is being answered (in place), or a failing store.
    async fn edit_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
        edit: MessageEdit,
    ) -> Result<EditedMessage, StoreError>;

    /// Removes a message and all that follows it. Branches that ended or forked there end and fork before it.
    ///
    /// # Errors
    /// What is not there, `GenerationInProgress` among what would go, or a failing store.
    async fn delete_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<DeletedMessage, StoreError>;

    /// One page of the messages of a conversation that match the query and pass the filter, the best first; and how
    /// many there are, of the [newest hits](super::search::MAX_HITS).
    ///
    /// # Errors
    /// What is not there, or a failing store.
    async fn search_messages(
        &self,
        user: UserId,
        conversation: ConversationId,
        query: &SearchQuery,
        filter: MessageFilter<'_>,
        page: Page,
    ) -> Result<(Vec<MessageHit>, u64), StoreError>;

    // Answers

    /// What a conversation says about its answers.
    ///
    /// # Errors
    /// A failing store.
    async fn chat_defaults(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<ChatDefaults>, StoreError>;

    /// Finds or makes the conversation, forks a branch if the parent is not its head, appends what the turn brings and
    /// a `streaming` answer after it, claims that place for one generation, and returns the context for the model.
    ///
    /// # Errors
    /// What is not there, a limit, `GenerationInProgress`, `Conflict` where there is nothing to answer, tool results
    /// that fit no call, or a failing store.
    async fn append_turn(&self, caller: &Caller, turn: NewTurn) -> Result<Turn, StoreError>;

    /// Writes the answer over its `streaming` placeholder, ends the generation and enters the usage into the ledger.
    /// Idempotent: an answer that is no longer `streaming` is left as it is, unless another instance closed it
    /// ([`close_abandoned`](Self::close_abandoned)). If the conversation was deleted meanwhile,
    /// only the ledger is written.
    ///
    /// # Errors
    /// A failing store.
    async fn save_answer(&self, answer: Arc<FinishedAnswer>) -> Result<(), StoreError>;

    /// Writes what is known of an answer that nobody produces any more, as [`save_answer`](Self::save_answer) does; false,
    /// and nothing is changed, if it has ended meanwhile. Should its producer bring it after all, that replaces this.
    ///
    /// # Errors
    /// A failing store.
    async fn close_abandoned(&self, answer: Arc<FinishedAnswer>) -> Result<bool, StoreError>;

    // Import

    /// Makes a copy of a conversation from elsewhere; or brings the copy that an earlier import made up to date: new
    /// messages and branches, and texts, fields and heads that nobody changed here. Limits on branches and messages do not
    /// bind, only those on imports; the one on conversations does.
    ///
    /// # Errors
    /// `LimitReached`, `Conflict` where the copy's sums would be too large, or a failing store.
    async fn import_conversation(
        &self,
        caller: &Caller,
        imported: ImportedConversation,
    ) -> Result<(ConversationId, ImportOutcome), StoreError>;
}

/// A part of all messages of a conversation.
#[derive(Debug, Clone)]
pub struct MessageBatch {
    /// Parents before their children.
    pub messages: Vec<Message>,
    /// Where the next part begins.
    pub next: MessageCursor,
    /// With the last part: all branches, read in the same moment.
    pub branches: Option<Vec<Branch>>,
}
