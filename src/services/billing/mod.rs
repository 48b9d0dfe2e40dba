//! What answers used and cost: prices, and the ledger.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::models::ids::{ConversationId, MessageId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::models::money::Money;
use crate::models::price::{TokenCounts, TokenPrices};
use crate::services::conversations::{AnswerOutcome, AnswerUsage, FinishedAnswer};
use crate::utils::database::DatabaseError;

/// One entry of the ledger: an answer that a model gave, or a part of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UsageEvent {
    /// The stream that produced it; entered once.
    pub id: StreamId,
    /// Whose it is.
    pub user_id: UserId,
    /// The request that asked for it.
    pub request_id: Arc<str>,
    /// The conversation; none in OpenAI-compatible chat.
    pub conversation_id: Option<ConversationId>,
    /// The stored answer; none in OpenAI-compatible chat.
    pub message_id: Option<MessageId>,
    /// The model that answered.
    pub model: Arc<str>,
    /// How it ended.
    pub status: MessageStatus,
    /// Whether the client read it as a stream.
    pub streamed: bool,
    /// Tokens and cost.
    pub usage: AnswerUsage,
    /// Milliseconds from the start to the end; unknown where the process stopped in between.
    pub latency_ms: Option<u64>,
    /// Milliseconds from the start to the first token.
    pub first_token_ms: Option<u64>,
    /// When it ended.
    pub created_at: DateTime<Utc>,
}

impl UsageEvent {
    /// The entry for an answer of a conversation.
    #[must_use]
    pub fn of_answer(answer: &FinishedAnswer) -> Self {
        let (status, message_id) = match answer.outcome {
            AnswerOutcome::Stored(status) => (status, Some(answer.message_id)),
            AnswerOutcome::Withdrawn => (MessageStatus::Failed, None),
        };
        Self {
            id: answer.stream_id,
            user_id: answer.user_id,
            request_id: answer.request_id.clone(),
            conversation_id: Some(answer.conversation_id),
            message_id,
            model: answer.model.clone(),
            status,
            streamed: answer.streamed,
            usage: answer.usage,
            latency_ms: answer.latency_ms,
            first_token_ms: answer.first_token_ms,
            created_at: answer.ended_at,
        }
    }
}

/// Where usage is written down.
#[async_trait]
pub trait UsageLedger: Send + Sync + 'static {
    /// Enters an event. Entering it twice is the same as once.
    ///
    /// # Errors
    /// A failing database.
    async fn record(&self, event: UsageEvent) -> Result<(), DatabaseError>;
}

/// What models cost, for answers whose cost their model server does not tell.
pub trait PriceList: Send + Sync + 'static {
    /// The prices of this model; `None` if nobody knows it.
    fn prices(&self, model: &str) -> Option<TokenPrices>;

    /// What this usage of the model costs by its prices. `None` if one that is needed is unknown.
    fn cost(&self, model: &str, usage: &AnswerUsage) -> Option<Money> {
        self.prices(model)?.cost(TokenCounts {
            input: usage.prompt_tokens,
            cached_input: usage.cached_tokens.unwrap_or_default(),
            output: usage.completion_tokens,
        })
    }
}
