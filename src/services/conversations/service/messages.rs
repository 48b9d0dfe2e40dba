//! Messages.

use super::{ConversationService, checks, require};
use crate::models::common::Page;
use crate::models::ids::{ConversationId, MessageId, UserId};
use crate::models::message::{
    CreateMessageRequest, DeletedMessage, EditMessageRequest, EditedMessage, Message, MessageDetail,
    MessageHit, SearchMessagesRequest,
};
use crate::services::analytics::Feature;
use crate::services::conversations::{
    MessageEdit, MessageFilter, NewBranchName, NewMessage, PathQuery, Relatives, check_branch_name,
    check_content, check_message_metadata,
};
use crate::utils::errors::{ApiError, FieldErrors};

impl ConversationService {
    /// One page of the path of a branch, and how many messages it has (of that role).
    ///
    /// # Errors
    /// What is not there, or a failing store.
    pub async fn path(
        &self,
        user: UserId,
        conversation: ConversationId,
        query: PathQuery,
        page: Page,
    ) -> Result<(Vec<Message>, u64), ApiError> {
        Ok(self.store.path(user, conversation, query, page).await?)
    }

    /// A message with its relatives.
    ///
    /// # Errors
    /// What is not there, or a failing store.
    pub async fn message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
        relatives: Relatives,
    ) -> Result<MessageDetail, ApiError> {
        Ok(self.store.message(user, conversation, id, relatives).await?)
    }

    /// Adds a message without asking a model.
    ///
    /// # Errors
    /// A field out of bounds, what is not there, a limit, an answer being written at that place, or a failing
    /// store.
    pub async fn add_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        request: CreateMessageRequest,
    ) -> Result<Message, ApiError> {
        let mut errors = FieldErrors::default();
        let max_length = self.settings.max_message_length;
        check_content(&mut errors, "content", &request.content, max_length);
        if let Some(metadata) = &request.metadata {
            check_message_metadata(&mut errors, metadata);
        }
        errors.into_result()?;
        let new = NewMessage {
            role: request.role.into(),
            content: request.content,
            branch: request.branch_id,
            parent: request.parent_id,
            metadata: request.metadata,
        };
        let added = self.store.add_message(user, conversation, new).await?;
        self.metrics
            .messages
            .with_label_values(&[added.role.as_str()])
            .inc();
        Ok(added)
    }

    /// Gives a message of the user another text, in place or beside it on a new branch.
    ///
    /// # Errors
    /// If editing is switched off; a field out of bounds, what is not there, a message that is not the user's, a
    /// limit, an answer being written to it, or a failing store.
    pub async fn edit_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
        request: EditMessageRequest,
    ) -> Result<EditedMessage, ApiError> {
        require(self.settings.features.message_editing, "ENABLE_MESSAGE_EDITING")?;
        let edit = self.checked_edit(request)?;
        let edited = self.store.edit_message(user, conversation, id, edit).await?;
        self.count("edited");
        self.feature_uses.count(user, Feature::Edit);
        if edited.branch.is_some() {
            self.metrics
                .messages
                .with_label_values(&[edited.message.role.as_str()])
                .inc();
            self.tell("branched", "branch_created", user, conversation);
        }
        Ok(edited)
    }

    fn checked_edit(&self, request: EditMessageRequest) -> Result<MessageEdit, ApiError> {
        let mut errors = FieldErrors::default();
        let max_length = self.settings.max_message_length;
        check_content(&mut errors, "content", &request.content, max_length);
        let beside = request.create_branch.unwrap_or_default();
        if let Some(name) = &request.branch_name {
            check_branch_name(&mut errors, "branch_name", name);
            errors.check(beside, "branch_name", || "needs create_branch".to_owned());
        }
        errors.into_result()?;
        Ok(MessageEdit {
            content: request.content,
            new_branch: beside.then_some(NewBranchName(request.branch_name)),
        })
    }

    /// Deletes a message and all that follows it.
    ///
    /// # Errors
    /// What is not there, an answer being written among what would go, or a failing store.
    pub async fn delete_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<DeletedMessage, ApiError> {
        let deleted = self.store.delete_message(user, conversation, id).await?;
        self.count("message_deleted");
        Ok(deleted)
    }

    /// One page of the messages of a conversation that match the query and pass the filter, the best first, and
    /// how many there are.
    ///
    /// # Errors
    /// A field out of bounds, what is not there, or a failing store.
    pub async fn search_messages(
        &self,
        user: UserId,
        conversation: ConversationId,
        request: &SearchMessagesRequest,
        page: Page,
    ) -> Result<(Vec<MessageHit>, u64), ApiError> {
        checks::filter(
            request.model.as_deref(),
            request.created_after,
            request.created_before,
        )?;
        let query = checks::search(&request.q)?;
        self.count("searched");
        let filter = MessageFilter {
            role: request.role,
            model: request.model.as_deref(),
            branch: request.branch_id,
            created_after: request.created_after,
            created_before: request.created_before,
            min_tokens: request.min_tokens.map(u64::from),
            max_tokens: request.max_tokens.map(u64::from),
        };
        let found = self
            .store
            .search_messages(user, conversation, &query, filter, page)
            .await?;
        self.feature_uses.count(user, Feature::Search);
        Ok(found)
    }
}
