//! Single conversations, and lists of them.

use chrono::TimeDelta;

use super::{ConversationService, checks};
use crate::models::common::Page;
use crate::models::conversation::{
    Conversation, ConversationDetail, ConversationHit, ConversationStats, CreateConversationRequest,
    DeletedConversation, FullConversation, StatsPeriod, UpdateConversationRequest,
};
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::services::analytics::Feature;
use crate::services::auth::Caller;
use crate::services::conversations::{
    ConversationChanges, ConversationFilter, ConversationOrder, NewConversation, StoreError,
};
use crate::utils::errors::ApiError;

impl ConversationService {
    /// Makes a conversation.
    ///
    /// # Errors
    /// A field out of bounds, the limit on conversations, or a failing store.
    pub async fn create(
        &self,
        caller: &Caller,
        request: CreateConversationRequest,
    ) -> Result<ConversationDetail, ApiError> {
        checks::ConversationFields {
            title: request.title.as_deref(),
            model: request.model.as_deref(),
            system_message: request.system_message.as_deref(),
            metadata: request.metadata.as_deref(),
        }
        .check()
        .into_result()?;
        let new = NewConversation {
            title: request.title,
            model: request.model,
            system_message: request.system_message,
            metadata: request.metadata,
        };
        let made = self.store.create_conversation(caller, new).await?;
        self.tell(
            "created",
            "conversation_created",
            caller.user_id,
            made.conversation.id,
        );
        Ok(made)
    }

    /// One page of a user's conversations that pass the filter and match the query (an empty one matches all),
    /// and how many there are.
    ///
    /// # Errors
    /// A field out of bounds, or a failing store.
    pub async fn list(
        &self,
        user: UserId,
        query: Option<&str>,
        filter: &ConversationFilter,
        order: ConversationOrder,
        page: Page,
    ) -> Result<(Vec<Conversation>, u64), ApiError> {
        checks::filter(
            filter.model.as_deref(),
            filter.created_after,
            filter.created_before,
        )?;
        let query = checks::optional_search(query)?;
        let query = query.as_ref();
        let found = self.store.conversations(user, query, filter, order, page).await?;
        if query.is_some() {
            self.feature_uses.count(user, Feature::Search);
        }
        Ok(found)
    }

    /// One page of a user's conversations that match the query in title or messages and pass the filter, the
    /// best first, and how many there are.
    ///
    /// # Errors
    /// A field out of bounds, or a failing store.
    pub async fn search(
        &self,
        user: UserId,
        query: &str,
        filter: &ConversationFilter,
        page: Page,
    ) -> Result<(Vec<ConversationHit>, u64), ApiError> {
        checks::filter(
            filter.model.as_deref(),
            filter.created_after,
            filter.created_before,
        )?;
        let query = checks::search(query)?;
        self.count("searched");
        let found = self
            .store
            .search_conversations(user, &query, filter, page)
            .await?;
        self.feature_uses.count(user, Feature::Search);
        Ok(found)
    }

    /// What the conversations made within a period amount to.
    ///
    /// # Errors
    /// A failing store.
    pub async fn stats(&self, user: UserId, period: StatsPeriod) -> Result<ConversationStats, ApiError> {
        let since = period
            .days()
            .and_then(|days| self.clock.now().checked_sub_signed(TimeDelta::days(days)));
        Ok(self.store.conversation_stats(user, since).await?)
    }

    /// A conversation with its branches.
    ///
    /// # Errors
    /// If there is no such conversation, or the store fails.
    pub async fn read(&self, user: UserId, id: ConversationId) -> Result<ConversationDetail, ApiError> {
        Ok(self
            .store
            .conversation(user, id)
            .await?
            .ok_or(StoreError::ConversationNotFound)?)
    }

    /// A conversation with its messages, all or those on the path of a branch, and with their tree if it is wanted.
    ///
    /// # Errors
    /// If there is no such conversation or branch, or the store fails.
    pub async fn read_full(
        &self,
        user: UserId,
        id: ConversationId,
        branch: Option<BranchId>,
        with_tree: bool,
    ) -> Result<FullConversation, ApiError> {
        let full = self.store.full_conversation(user, id, branch).await?;
        let mut full = full.ok_or(StoreError::ConversationNotFound)?;
        full.tree = full.tree.filter(|_| with_tree);
        Ok(full)
    }

    /// Changes a conversation.
    ///
    /// # Errors
    /// A field out of bounds or no field at all, if there is no such conversation, or the store fails.
    pub async fn update(
        &self,
        user: UserId,
        id: ConversationId,
        request: UpdateConversationRequest,
    ) -> Result<Conversation, ApiError> {
        checks::conversation_changes(checks::BODY, &request).into_result()?;
        self.change(user, id, request.into()).await
    }

    /// Changes a conversation as was checked before.
    pub(super) async fn change(
        &self,
        user: UserId,
        id: ConversationId,
        changes: ConversationChanges,
    ) -> Result<Conversation, ApiError> {
        let changed = self.store.update_conversation(user, id, changes).await?;
        self.count("updated");
        Ok(changed)
    }

    /// Deletes a conversation. What is being written there is stopped first: nobody could read it.
    ///
    /// # Errors
    /// If there is no such conversation, or the store fails.
    pub async fn delete(&self, user: UserId, id: ConversationId) -> Result<DeletedConversation, ApiError> {
        self.answers.stop_in(user, id).await;
        self.store.delete_conversation(user, id).await?;
        // What began in between has no place to be stored any more.
        self.answers.stop_in(user, id).await;
        self.tell("deleted", "conversation_deleted", user, id);
        Ok(DeletedConversation { id, deleted: true })
    }
}

impl From<UpdateConversationRequest> for ConversationChanges {
    fn from(request: UpdateConversationRequest) -> Self {
        Self {
            title: request.title,
            model: request.model,
            status: request.status,
            system_message: request.system_message,
            metadata: request.metadata,
        }
    }
}
