//! Fills a database by importing.

use std::time::Instant;

use ai_chat_orchestrator::models::common::Page;
use ai_chat_orchestrator::models::common::SortOrder;
use ai_chat_orchestrator::models::conversation::{ConversationSort, StatusFilter};
use ai_chat_orchestrator::models::ids::{BranchId, ConversationId, MessageId, UserId};
use ai_chat_orchestrator::services::auth::Caller;
use ai_chat_orchestrator::services::conversations::{
    ConversationFilter, ConversationOrder, ConversationStore, StoreError,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use crate::Failure;
use crate::data::{Corpus, Shape};

/// Whose requests are measured.
pub const USER: UserId = UserId(Uuid::from_u128(1));

/// Who has as much, and is never heard of.
const OTHER: UserId = UserId(Uuid::from_u128(2));

/// Imports that run at once. Those of one user wait for each other in the database, where nobody waits for long.
const AT_ONCE: usize = 4;

/// The conversation in which pages, branches and contexts are measured.
const LARGE: Shape = Shape {
    messages: 10_000,
    branches: 200,
};

/// A conversation in the database.
#[derive(Debug)]
pub struct Large {
    /// Its id.
    pub id: ConversationId,
    /// Its branches, with their ends.
    pub branches: Vec<(BranchId, MessageId)>,
    /// Messages on its main branch.
    pub main: u64,
}

/// Imports so many conversations for each user, and the large one; what is there from an earlier run stays.
pub async fn fill(
    store: &dyn ConversationStore,
    corpus: &Corpus,
    conversations: usize,
) -> Result<Large, Failure> {
    for user in [OTHER, USER] {
        if total(store, user).await? < conversations as u64 {
            ordinary(store, corpus, user, conversations).await?;
        }
    }
    let started = Instant::now();
    let (id, outcome) = store
        .import_conversation(&caller(USER), corpus.large(conversations, LARGE))
        .await?;
    println!(
        "{outcome:?} a conversation of {} messages in {} branches in {:.1} s",
        LARGE.messages,
        LARGE.branches,
        started.elapsed().as_secs_f64()
    );
    let detail = store
        .conversation(USER, id)
        .await?
        .ok_or("the conversation is gone")?;
    Ok(Large {
        id,
        main: detail.branches.first().map_or(0, |main| main.message_count),
        branches: detail
            .branches
            .iter()
            .filter_map(|branch| Some((branch.id, branch.head_message_id?)))
            .collect(),
    })
}

async fn ordinary(
    store: &dyn ConversationStore,
    corpus: &Corpus,
    user: UserId,
    conversations: usize,
) -> Result<(), StoreError> {
    let started = Instant::now();
    let caller = caller(user);
    let messages = futures_util::stream::iter(0..conversations)
        .map(|number| {
            let conversation = corpus.ordinary(number);
            let (count, caller) = (conversation.messages.len(), &caller);
            async move {
                store.import_conversation(caller, conversation).await?;
                Ok::<_, StoreError>(count)
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_fold(0, |sum, count| async move { Ok(sum + count) })
        .await?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "imported {conversations} conversations with {messages} messages in {seconds:.0} s: {:.0} messages a second",
        messages as f64 / seconds
    );
    Ok(())
}

async fn total(store: &dyn ConversationStore, user: UserId) -> Result<u64, StoreError> {
    let filter = ConversationFilter {
        status: StatusFilter::All,
        ..ConversationFilter::default()
    };
    let order = ConversationOrder {
        by: ConversationSort::CreatedAt,
        order: SortOrder::Asc,
    };
    let page = Page { page: 1, limit: 1 };
    Ok(store.conversations(user, None, &filter, order, page).await?.1)
}

/// The caller who acts for this user.
pub fn caller(user_id: UserId) -> Caller {
    Caller::signed_in(user_id, None)
}
