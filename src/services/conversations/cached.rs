//! A store of conversations with a cache in front: lists and single conversations, which clients read most.
//!
//! Whatever may have changed something of a user invalidates all that is kept of that user, also if it failed: an error
//! may come after the change. A write and its invalidation go on together if the caller goes away.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::search::SearchQuery;
use super::transfer::import::ImportedConversation;
use super::{
    BranchChanges, ChatDefaults, ConversationChanges, ConversationFilter, ConversationOrder,
    ConversationStore, FinishedAnswer, IdempotencyKey, ImportOutcome, Merge, MessageBatch, MessageCursor,
    MessageEdit, MessageFilter, NewBranch, NewConversation, NewMessage, NewTurn, PathQuery, Relatives,
    StoreError, Turn,
};
use crate::models::branch::{Branch, BranchStats, DeletedBranch, MergeResult};
use crate::models::common::Page;
use crate::models::conversation::{
    Conversation, ConversationDetail, ConversationHit, ConversationStats, FullConversation,
};
use crate::models::ids::{BranchId, ConversationId, MessageId, StreamId, UserId};
use crate::models::message::{DeletedMessage, EditedMessage, Message, MessageDetail, MessageHit};
use crate::services::auth::Caller;
use crate::services::cache::{Area, Cache, Namespace};
use crate::utils::database::DatabaseError;

/// A store of conversations with a cache in front.
pub struct CachedConversations {
    store: Arc<dyn ConversationStore>,
    cache: Cache,
    ttl: Duration,
    tracker: TaskTracker,
}

/// Pages of lists without a search.
struct Lists(Duration);

/// What a page is looked up by.
#[derive(Debug, Serialize)]
struct ListKey {
    filter: ConversationFilter,
    order: ConversationOrder,
    page: Page,
}

impl Namespace for Lists {
    type Key = ListKey;
    type Value = (Vec<Conversation>, u64);
    const NAME: &'static str = "conversations";
    const VERSION: u8 = 1;

    fn ttl(&self) -> Duration {
        self.0
    }
}

/// Conversations with their branches.
struct Details(Duration);

impl Namespace for Details {
    type Key = ConversationId;
    // Not `ConversationDetail`: what is flattened in JSON cannot be read back with its numbers as they were.
    type Value = (Conversation, Vec<Branch>);
    const NAME: &'static str = "conversation";
    const VERSION: u8 = 1;

    fn ttl(&self) -> Duration {
        self.0
    }
}

impl CachedConversations {
    /// Keeps what it reads for `ttl` at most. Writes run on the tracker.
    #[must_use]
    pub fn new(store: Arc<dyn ConversationStore>, cache: Cache, ttl: Duration, tracker: TaskTracker) -> Self {
        Self {
            store,
            cache,
            ttl,
            tracker,
        }
    }

    /// Writes, and then invalidates what is kept of the user.
    async fn write<T, F>(
        &self,
        user: UserId,
        write: impl FnOnce(Arc<dyn ConversationStore>) -> F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (write, cache) = (write(self.store.clone()), self.cache.clone());
        let job = async move {
            let result = write.await;
            cache.invalidate(user, Area::Conversations).await;
            result
        };
        match self.tracker.spawn(job.in_current_span()).await {
            Ok(result) => result,
            Err(ended) => {
                self.cache.invalidate(user, Area::Conversations).await;
                Err(if ended.is_panic() {
                    DatabaseError::Panicked
                } else {
                    DatabaseError::Closed
                }
                .into())
            }
        }
    }
}

#[async_trait]
impl ConversationStore for CachedConversations {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.store.check().await
    }

    // What is cached

    async fn conversations(
        &self,
        user: UserId,
        query: Option<&SearchQuery>,
        filter: &ConversationFilter,
        order: ConversationOrder,
        page: Page,
    ) -> Result<(Vec<Conversation>, u64), StoreError> {
        let load = || self.store.conversations(user, query, filter, order, page);
        if query.is_some() {
            return load().await;
        }
        let key = ListKey {
            filter: filter.clone(),
            order,
            page,
        };
        let load_some = || async { load().await.map(Some) };
        let found = self
            .cache
            .get_or_load(&Lists(self.ttl), user, &key, load_some)
            .await?;
        Ok(found.unwrap_or_default())
    }

    async fn conversation(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationDetail>, StoreError> {
        let load = || async {
            let detail = self.store.conversation(user, id).await?;
            Ok(detail.map(|detail| (detail.conversation, detail.branches)))
        };
        let found = self.cache.get_or_load(&Details(self.ttl), user, &id, load).await;
        found.map(|found| {
            found.map(|(conversation, branches)| ConversationDetail {
                conversation,
                branches,
            })
        })
    }

    // What is read from the store each time

    async fn search_conversations(
        &self,
        user: UserId,
        query: &SearchQuery,
        filter: &ConversationFilter,
        page: Page,
    ) -> Result<(Vec<ConversationHit>, u64), StoreError> {
        self.store.search_conversations(user, query, filter, page).await
    }

    async fn conversation_stats(
        &self,
        user: UserId,
        since: Option<DateTime<Utc>>,
    ) -> Result<ConversationStats, StoreError> {
        self.store.conversation_stats(user, since).await
    }

    async fn full_conversation(
        &self,
        user: UserId,
        id: ConversationId,
        branch: Option<BranchId>,
    ) -> Result<Option<FullConversation>, StoreError> {
        self.store.full_conversation(user, id, branch).await
    }

    async fn branch_stats(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<BranchStats, StoreError> {
        self.store.branch_stats(user, conversation, branch).await
    }

    async fn path(
        &self,
        user: UserId,
        conversation: ConversationId,
        query: PathQuery,
        page: Page,
    ) -> Result<(Vec<Message>, u64), StoreError> {
        self.store.path(user, conversation, query, page).await
    }

    async fn messages_after(
        &self,
        user: UserId,
        conversation: ConversationId,
        after: MessageCursor,
        limit: u32,
    ) -> Result<MessageBatch, StoreError> {
        self.store.messages_after(user, conversation, after, limit).await
    }

    async fn message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
        relatives: Relatives,
    ) -> Result<MessageDetail, StoreError> {
        self.store.message(user, conversation, id, relatives).await
    }

    async fn search_messages(
        &self,
        user: UserId,
        conversation: ConversationId,
        query: &SearchQuery,
        filter: MessageFilter<'_>,
        page: Page,
    ) -> Result<(Vec<MessageHit>, u64), StoreError> {
        self.store
            .search_messages(user, conversation, query, filter, page)
            .await
    }

    async fn chat_defaults(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<ChatDefaults>, StoreError> {
        self.store.chat_defaults(user, id).await
    }

    // What invalidates

    async fn create_conversation(
        &self,
        caller: &Caller,
        new: NewConversation,
    ) -> Result<ConversationDetail, StoreError> {
        let caller = caller.clone();
        self.write(caller.user_id, |store| async move {
            store.create_conversation(&caller, new).await
        })
        .await
    }

    async fn update_conversation(
        &self,
        user: UserId,
        id: ConversationId,
        changes: ConversationChanges,
    ) -> Result<Conversation, StoreError> {
        self.write(user, move |store| async move {
            store.update_conversation(user, id, changes).await
        })
        .await
    }

    async fn delete_conversation(&self, user: UserId, id: ConversationId) -> Result<(), StoreError> {
        self.write(user, move |store| async move {
            store.delete_conversation(user, id).await
        })
        .await
    }

    async fn create_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        new: NewBranch,
    ) -> Result<Branch, StoreError> {
        self.write(user, move |store| async move {
            store.create_branch(user, conversation, new).await
        })
        .await
    }

    async fn update_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
        changes: BranchChanges,
    ) -> Result<Branch, StoreError> {
        self.write(user, move |store| async move {
            store.update_branch(user, conversation, branch, changes).await
        })
        .await
    }

    async fn activate_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<Branch, StoreError> {
        self.write(user, move |store| async move {
            store.activate_branch(user, conversation, branch).await
        })
        .await
    }

    async fn delete_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<DeletedBranch, StoreError> {
        self.write(user, move |store| async move {
            store.delete_branch(user, conversation, branch).await
        })
        .await
    }

    async fn merge_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        source: BranchId,
        merge: Merge,
    ) -> Result<MergeResult, StoreError> {
        self.write(user, move |store| async move {
            store.merge_branch(user, conversation, source, merge).await
        })
        .await
    }

    async fn add_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        new: NewMessage,
    ) -> Result<Message, StoreError> {
        self.write(user, move |store| async move {
            store.add_message(user, conversation, new).await
        })
        .await
    }

    async fn edit_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
        edit: MessageEdit,
    ) -> Result<EditedMessage, StoreError> {
        self.write(user, move |store| async move {
            store.edit_message(user, conversation, id, edit).await
        })
        .await
    }

    async fn delete_message(
        &self,
        user: UserId,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<DeletedMessage, StoreError> {
        self.write(user, move |store| async move {
            store.delete_message(user, conversation, id).await
        })
        .await
    }

    async fn answered_before(
        &self,
        user: UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<StreamId>, StoreError> {
        self.store.answered_before(user, key).await
    }

    async fn append_turn(&self, caller: &Caller, turn: NewTurn) -> Result<Turn, StoreError> {
        let caller = caller.clone();
        self.write(caller.user_id, |store| async move {
            store.append_turn(&caller, turn).await
        })
        .await
    }

    async fn save_answer(&self, answer: Arc<FinishedAnswer>) -> Result<(), StoreError> {
        self.write(
            answer.user_id,
            |store| async move { store.save_answer(answer).await },
        )
        .await
    }

    async fn close_abandoned(&self, answer: Arc<FinishedAnswer>) -> Result<bool, StoreError> {
        self.write(answer.user_id, |store| async move {
            store.close_abandoned(answer).await
        })
        .await
    }

    async fn import_conversation(
        &self,
        caller: &Caller,
        imported: ImportedConversation,
    ) -> Result<(ConversationId, ImportOutcome), StoreError> {
        let caller = caller.clone();
        self.write(caller.user_id, |store| async move {
            store.import_conversation(&caller, imported).await
        })
        .await
    }
}
