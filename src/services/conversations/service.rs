//! What may be done with conversations, whoever keeps them.

use std::sync::Arc;

use super::{
    ConversationStore, MAX_SYSTEM_MESSAGE_CHARS, NewConversation, StoreError, check_length, check_model,
};
use crate::models::common::Page;
use crate::models::conversation::{
    Conversation, ConversationDetail, ConversationSort, CreateConversationRequest, FullConversation,
    StatusFilter,
};
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::services::auth::Caller;
use crate::utils::errors::{ApiError, FieldErrors};
use crate::utils::metrics::Metrics;

/// Characters of a title.
const MAX_TITLE_CHARS: usize = 200;

/// Bytes of a conversation's metadata.
const MAX_METADATA_BYTES: usize = 10_000;

/// Conversations.
pub struct ConversationService {
    store: Arc<dyn ConversationStore>,
    metrics: Arc<Metrics>,
}

impl ConversationService {
    /// Conversations that are kept in this store.
    #[must_use]
    pub fn new(store: Arc<dyn ConversationStore>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    /// Makes one.
    ///
    /// # Errors
    /// A field out of bounds, the limit on conversations, or a failing store.
    pub async fn create(
        &self,
        caller: &Caller,
        request: CreateConversationRequest,
    ) -> Result<ConversationDetail, ApiError> {
        check(&request)?;
        let new = NewConversation {
            title: request.title,
            model: request.model,
            system_message: request.system_message,
            metadata: request.metadata,
        };
        let made = self.store.create_conversation(caller, new).await?;
        self.metrics.conversations.with_label_values(&["created"]).inc();
        tracing::info!(
            event = "conversation_created",
            user_id = %caller.user_id,
            conversation_id = %made.conversation.id,
            "business_event"
        );
        Ok(made)
    }

    /// One page of a user's conversations, and how many there are.
    ///
    /// # Errors
    /// A failing store.
    pub async fn list(
        &self,
        user: UserId,
        filter: StatusFilter,
        page: Page,
    ) -> Result<(Vec<Conversation>, u64), ApiError> {
        let filter = super::ConversationFilter {
            status: filter,
            ..super::ConversationFilter::default()
        };
        let order = super::ConversationOrder {
            by: ConversationSort::UpdatedAt,
            order: crate::models::common::SortOrder::Desc,
        };
        Ok(self.store.conversations(user, None, &filter, order, page).await?)
    }

    /// One of them, with its branches.
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

    /// One of them, with its messages: all, or those on the path of a branch.
    ///
    /// # Errors
    /// If there is no such conversation or branch, or the store fails.
    pub async fn read_full(
        &self,
        user: UserId,
        id: ConversationId,
        branch: Option<BranchId>,
    ) -> Result<FullConversation, ApiError> {
        Ok(self
            .store
            .full_conversation(user, id, branch)
            .await?
            .ok_or(StoreError::ConversationNotFound)?)
    }
}

fn check(request: &CreateConversationRequest) -> Result<(), ApiError> {
    let mut errors = FieldErrors::default();
    if let Some(title) = &request.title {
        check_length(&mut errors, "title", title, 1, MAX_TITLE_CHARS);
        let printable = !title.chars().any(|c| c.is_control() && c != '\t' && c != '\n');
        errors.check(printable, "title", || {
            "must not hold control characters".to_owned()
        });
    }
    if let Some(model) = &request.model {
        check_model(&mut errors, model);
    }
    if let Some(text) = &request.system_message {
        check_length(&mut errors, "system_message", text, 0, MAX_SYSTEM_MESSAGE_CHARS);
    }
    if let Some(metadata) = &request.metadata {
        errors.check(metadata.get().starts_with('{'), "metadata", || {
            "must be an object".to_owned()
        });
        errors.check(metadata.get().len() <= MAX_METADATA_BYTES, "metadata", || {
            format!("must have at most {MAX_METADATA_BYTES} bytes")
        });
    }
    errors.into_result()
}
