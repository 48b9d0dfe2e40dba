//! A user of a store.

use std::sync::Arc;

use ai_chat_orchestrator::models::common::{Page, SortOrder};
use ai_chat_orchestrator::models::conversation::{Conversation, ConversationSort};
use ai_chat_orchestrator::models::ids::{ConversationId, StreamId, UserId};
use ai_chat_orchestrator::models::message::{MessageContent, MessageStatus};
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::services::auth::Caller;
use ai_chat_orchestrator::services::billing::AnswerUsage;
use ai_chat_orchestrator::services::conversations::search::SearchQuery;
use ai_chat_orchestrator::services::conversations::{
    AnswerOutcome, ConversationFilter, ConversationOrder, FinishedAnswer, NewConversation, NewTurn, Turn,
    TurnInput, TurnTarget,
};

use super::chat::Chat;
use super::databases::TestStore;
use crate::support::MODEL;

/// Everything that is there, in any test.
pub const ALL: Page = Page { page: 1, limit: 1000 };

/// The order of a list that nobody asked to be sorted.
pub const NEWEST_FIRST: ConversationOrder = ConversationOrder {
    by: ConversationSort::UpdatedAt,
    order: SortOrder::Desc,
};

/// Tokens that the answers of [`answer`] read and write.
pub const PROMPT_TOKENS: u64 = 7;
/// See [`PROMPT_TOKENS`].
pub const COMPLETION_TOKENS: u64 = 5;
/// What they cost.
pub const COST: Money = Money::from_nano(1_500);

/// A user of a store.
pub struct User<'a> {
    /// The store.
    pub store: &'a TestStore,
    /// Who they are.
    pub caller: Caller,
}

impl<'a> User<'a> {
    /// Somebody new.
    pub fn new(store: &'a TestStore) -> Self {
        Self {
            store,
            caller: Caller::signed_in(UserId::new(&store.clock), None),
        }
    }

    /// Their id.
    pub const fn id(&self) -> UserId {
        self.caller.user_id
    }

    /// Makes an empty conversation.
    pub async fn chat(&self) -> Chat<'_> {
        self.chat_with(NewConversation::default()).await
    }

    /// Makes a conversation of that title.
    pub async fn titled(&self, title: &str) -> Chat<'_> {
        self.chat_with(NewConversation {
            title: Some(title.to_owned()),
            ..NewConversation::default()
        })
        .await
    }

    /// Makes a conversation.
    pub async fn chat_with(&self, new: NewConversation) -> Chat<'_> {
        let made = self.store.create_conversation(&self.caller, new).await;
        self.open(made.expect("a conversation").conversation.id)
    }

    /// A conversation that is there.
    pub const fn open(&self, id: ConversationId) -> Chat<'_> {
        Chat { user: self, id }
    }

    /// Their conversations that pass a filter, in an order.
    pub async fn list(&self, filter: &ConversationFilter, order: ConversationOrder) -> Vec<Conversation> {
        let list = self
            .store
            .conversations(self.id(), None, filter, order, ALL)
            .await;
        let (items, total) = list.expect("a list");
        assert_eq!(items.len() as u64, total);
        items
    }

    /// The ids of their conversations that a query finds, the best first, and the snippet of each.
    pub async fn search(&self, query: &str) -> Vec<(ConversationId, String)> {
        let query = SearchQuery::parse(query);
        let filter = ConversationFilter::default();
        let found = self
            .store
            .search_conversations(self.id(), &query, &filter, ALL)
            .await;
        let (hits, total) = found.expect("a search");
        assert_eq!(hits.len() as u64, total);
        hits.into_iter()
            .map(|hit| (hit.conversation.id, hit.snippet))
            .collect()
    }

    /// A turn of these.
    pub fn turn(&self, target: TurnTarget, input: TurnInput) -> NewTurn {
        NewTurn {
            target,
            input,
            stream_id: StreamId::new(&self.store.clock),
            model: Arc::from(MODEL),
            conversation_model: None,
            request_id: Arc::from("request"),
            streamed: true,
            idempotency_key: None,
            terms: None,
        }
    }

    /// The answer to a turn, whole.
    pub fn answer(&self, turn: &Turn, stream: StreamId, content: &str) -> FinishedAnswer {
        FinishedAnswer {
            error: None,
            stream_id: stream,
            user_id: self.id(),
            request_id: Arc::from("request"),
            conversation_id: turn.conversation_id,
            branch_id: turn.branch_id,
            user_message_id: turn.user_message_id,
            message_id: turn.message_id,
            model: Arc::from(MODEL),
            streamed: true,
            outcome: AnswerOutcome::Stored(MessageStatus::Completed),
            content: content.to_owned(),
            reasoning: None,
            tool_calls: None,
            finish_reason: Some("stop".to_owned()),
            usage: AnswerUsage {
                prompt_tokens: PROMPT_TOKENS,
                completion_tokens: COMPLETION_TOKENS,
                cost: Some(COST),
                ..AnswerUsage::default()
            },
            attempts: Vec::new(),
            latency_ms: Some(20),
            first_token_ms: Some(3),
            ended_at: self.store.clock.now(),
        }
    }
}

/// Plain text.
pub fn text(text: &str) -> MessageContent {
    MessageContent::Text(text.to_owned())
}
