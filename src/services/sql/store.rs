//! Conversations in a SQL database: the [`ConversationStore`].
//!
//! Each method is one transaction around an operation.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::database::SqlDatabase;
use super::operations::{self, Environment};
use super::rows::ConversationRows as _;
use crate::models::branch::{Branch, BranchStats, DeletedBranch, MergeResult};
use crate::models::common::Page;
use crate::models::conversation::{
    Conversation, ConversationDetail, ConversationHit, ConversationStats, FullConversation,
};
use crate::models::ids::{BranchId, ConversationId, MessageId, StreamId, UserId};
use crate::models::message::{DeletedMessage, EditedMessage, Message, MessageDetail, MessageHit};
use crate::services::auth::Caller;
use crate::services::conversations::search::SearchQuery;
use crate::services::conversations::transfer::import::ImportedConversation;
use crate::services::conversations::{
    BranchChanges, ChatDefaults, ConversationChanges, ConversationFilter, ConversationOrder,
    ConversationStore, FinishedAnswer, IdempotencyKey, ImportOutcome, Merge, MessageBatch, MessageCursor,
    MessageEdit, MessageFilter, NewBranch, NewConversation, NewMessage, NewTurn, PathQuery, Relatives,
    StoreError, StoreLimits, Turn,
};

/// The conversations of a SQL database.
#[derive(Debug, Clone)]
pub struct SqlConversations<D> {
    database: D,
    environment: Environment,
}

impl<D: SqlDatabase> SqlConversations<D> {
    /// Conversations within limits.
    #[must_use]
    pub fn new(database: D, limits: StoreLimits) -> Self {
        Self {
            environment: Environment::of(&database, limits),
            database,
        }
    }
}

/// Runs an operation that changes something: in a transaction, with the environment, whatever becomes of the caller.
macro_rules! in_transaction {
    ($self:ident, |$rows:ident, $environment:ident| $operation:expr) => {{
        let environment = $self.environment.clone();
        $self
            .database
            .write(move |$rows| {
                Box::pin(async move {
                    let $environment = &environment;
                    $operation.await
                })
            })
            .await
    }};
}

#[async_trait]
impl<D: SqlDatabase> ConversationStore for SqlConversations<D> {
    fn name(&self) -> &'static str {
        self.database.name()
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(self.database.snapshot().await?.check().await?)
    }

    async fn create_conversation(
        &self,
        caller: &Caller,
        new: NewConversation,
    ) -> Result<ConversationDetail, StoreError> {
        let caller = caller.clone();
        in_transaction!(self, |rows, environment| operations::create_conversation(
            rows,
            environment,
            &caller,
            &new
        ))
    }

    async fn conversations(
        &self,
        user: UserId,
        query: Option<&SearchQuery>,
        filter: &ConversationFilter,
        order: ConversationOrder,
        page: Page,
    ) -> Result<(Vec<Conversation>, u64), StoreError> {
        if query.is_some_and(SearchQuery::is_empty) {
            return Ok((Vec::new(), 0));
        }
        let mut rows = self.database.snapshot().await?;
        Ok(rows.conversation_page(user, query, filter, order, page).await?)
    }

    async fn search_conversations(
        &self,
        user: UserId,
        query: &SearchQuery,
        filter: &ConversationFilter,
        page: Page,
    ) -> Result<(Vec<ConversationHit>, u64), StoreError> {
        let mut rows = self.database.snapshot().await?;
        operations::search_conversations(&mut rows, user, query, filter, page).await
    }

    async fn conversation_stats(
        &self,
        user: UserId,
        since: Option<DateTime<Utc>>,
    ) -> Result<ConversationStats, StoreError> {
        let mut rows = self.database.snapshot().await?;
        Ok(rows.conversation_stats(user, since).await?)
    }

    async fn conversation(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationDetail>, StoreError> {
        operations::detail(&mut self.database.snapshot().await?, user, id).await
    }

    async fn full_conversation(
        &self,
        user: UserId,
        id: ConversationId,
        branch: Option<BranchId>,
    ) -> Result<Option<FullConversation>, StoreError> {
        operations::full(&mut self.database.snapshot().await?, user, id, branch).await
    }

    async fn update_conversation(
        &self,
        user: UserId,
        id: ConversationId,
        changes: ConversationChanges,
    ) -> Result<Conversation, StoreError> {
        in_transaction!(self, |rows, environment| operations::update_conversation(
            rows,
            environment,
            user,
            id,
            changes
        ))
    }

    async fn delete_conversation(&self, user: UserId, id: ConversationId) -> Result<(), StoreError> {
        self.database
            .write(move |rows| Box::pin(operations::delete_conversation(rows, user, id)))
            .await
    }

    async fn create_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        new: NewBranch,
    ) -> Result<Branch, StoreError> {
        in_transaction!(self, |rows, environment| operations::create_branch(
            rows,
            environment,
            user,
            conversation,
            &new
        ))
    }

    async fn update_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
        changes: BranchChanges,
    ) -> Result<Branch, StoreError> {
        in_transaction!(self, |rows, environment| operations::update_branch(
            rows,
            environment,
            user,
            conversation,
            branch,
            changes
        ))
    }

    async fn activate_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<Branch, StoreError> {
        in_transaction!(self, |rows, environment| operations::activate_branch(
            rows,
            environment,
            user,
            conversation,
            branch
        ))
    }

    async fn delete_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<DeletedBranch, StoreError> {
        in_transaction!(self, |rows, environment| operations::delete_branch(
            rows,
            environment,
            user,
            conversation,
            branch
        ))
    }

    async fn merge_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        source: BranchId,
        merge: Merge,
    ) -> Result<MergeResult, StoreError> {
        in_transaction!(self, |rows, environment| operations::merge_branch(
            rows,
            environment,
            user,
            conversation,
            source,
            merge
        ))
    }

    async fn branch_stats(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<BranchStats, StoreError> {
        let mut rows = self.database.snapshot().await?;
        operations::branch_stats(&mut rows, user, conversation, branch).await
    }

    async fn path(
        &self,
        user: UserId,
        conversation: ConversationId,
        query: PathQuery,
        page: Page,
    ) -> Result<(Vec<Message>, u64), StoreError> {
        let mut rows = self.database.snapshot().await?;
        operations::path(&mut rows, user, conversation, query, page).await
    }

    async fn messages_after(
        &self,
        user: UserId,
        conversation: ConversationId,
        after: MessageCursor,
        limit: u32,
    ) -> Result<MessageBatch, StoreError> {
        let mut rows = self.database.snapshot().await?;
        operations::messages_after(&mut rows, user, conversation, after, limit).await
    }

    async fn message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
        relatives: Relatives,
    ) -> Result<MessageDetail, StoreError> {
        let mut rows = self.database.snapshot().await?;
        operations::message(&mut rows, user, conversation, id, relatives).await
    }

    async fn add_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        new: NewMessage,
    ) -> Result<Message, StoreError> {
        in_transaction!(self, |rows, environment| operations::add_message(
            rows,
            environment,
            user,
            conversation,
            new
        ))
    }

    async fn edit_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
        edit: MessageEdit,
    ) -> Result<EditedMessage, StoreError> {
        in_transaction!(self, |rows, environment| operations::edit_message(
            rows,
            environment,
            user,
            conversation,
            id,
            edit
        ))
    }

    async fn delete_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<DeletedMessage, StoreError> {
        in_transaction!(self, |rows, environment| operations::delete_message(
            rows,
            environment,
            user,
            conversation,
            id
        ))
    }

    async fn search_messages(
        &self,
        user: UserId,
        conversation: ConversationId,
        query: &SearchQuery,
        filter: MessageFilter<'_>,
        page: Page,
    ) -> Result<(Vec<MessageHit>, u64), StoreError> {
        let mut rows = self.database.snapshot().await?;
        operations::search_messages(&mut rows, user, conversation, query, filter, page).await
    }

    async fn chat_defaults(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<ChatDefaults>, StoreError> {
        let mut rows = self.database.snapshot().await?;
        let conversation = rows.conversation(user, id).await?;
        Ok(conversation.map(|conversation| ChatDefaults {
            model: conversation.model,
        }))
    }

    async fn answered_before(
        &self,
        user: UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<StreamId>, StoreError> {
        let now = self.environment.clock.now();
        operations::answered_before(&mut self.database.snapshot().await?, user, key, now).await
    }

    async fn append_turn(&self, caller: &Caller, turn: NewTurn) -> Result<Turn, StoreError> {
        let caller = caller.clone();
        in_transaction!(self, |rows, environment| operations::append_turn(
            rows,
            environment,
            &caller,
            &turn
        ))
    }

    async fn save_answer(&self, answer: Arc<FinishedAnswer>) -> Result<(), StoreError> {
        in_transaction!(self, |rows, environment| operations::save_answer(
            rows,
            environment,
            &answer
        ))
    }

    async fn close_abandoned(&self, answer: Arc<FinishedAnswer>) -> Result<bool, StoreError> {
        in_transaction!(self, |rows, environment| operations::close_abandoned(
            rows,
            environment,
            &answer
        ))
    }

    async fn import_conversation(
        &self,
        caller: &Caller,
        imported: ImportedConversation,
    ) -> Result<(ConversationId, ImportOutcome), StoreError> {
        let caller = caller.clone();
        in_transaction!(self, |rows, environment| operations::import_conversation(
            rows,
            environment,
            &caller,
            imported
        ))
    }
}
