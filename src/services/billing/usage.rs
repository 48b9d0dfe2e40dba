//! What answers used: tokens and cost, and the ledger that they are entered into.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::models::ids::{ConversationId, MessageId, StreamId, UserId};
use crate::models::message::MessageStatus;
use crate::models::money::Money;
use crate::models::price::{TokenCounts, TokenPrices};
use crate::services::llm::{FailedAttempt, Usage};
use crate::utils::database::DatabaseError;

/// Tokens and cost of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AnswerUsage {
    /// Tokens that the model read.
    pub prompt_tokens: u64,
    /// Tokens that the model wrote.
    pub completion_tokens: u64,
    /// Of the read ones, those from the provider's cache.
    pub cached_tokens: Option<u64>,
    /// Of the written ones, those of its reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Counted by this service, because the model did not say.
    pub estimated: bool,
    /// Nano-dollars; `None` where nobody could tell.
    pub cost: Option<Money>,
}

/// Bytes of text that make a token, about, in English and with the tokenisers of 2026.
pub const BYTES_PER_TOKEN: usize = 4;

impl AnswerUsage {
    /// What was used: as the model says, and where it does not, estimated from the bytes that went to and fro.
    #[must_use]
    pub fn reported_or_estimated(reported: Option<Usage>, sent_bytes: usize, written_bytes: usize) -> Self {
        let reported = reported.unwrap_or_default();
        Self {
            prompt_tokens: reported.prompt_tokens.unwrap_or_else(|| estimate(sent_bytes)),
            completion_tokens: reported
                .completion_tokens
                .unwrap_or_else(|| estimate(written_bytes)),
            cached_tokens: reported.cached_tokens,
            reasoning_tokens: reported.reasoning_tokens,
            estimated: reported.prompt_tokens.is_none() || reported.completion_tokens.is_none(),
            cost: reported.cost,
        }
    }

    /// What was used by a model that writes no tokens: as it says, and where it does not, estimated from the bytes that it
    /// was sent. Nothing is ever read in no tokens, so a zero says nothing.
    #[must_use]
    pub fn of_input(reported: Option<Usage>, sent_bytes: usize) -> Self {
        let reported = reported.unwrap_or_default();
        // Some servers tell the total alone.
        let counts = [reported.prompt_tokens, reported.total_tokens];
        let counted = counts.into_iter().flatten().find(|tokens| *tokens > 0);
        Self {
            prompt_tokens: counted.unwrap_or_else(|| estimate(sent_bytes)),
            completion_tokens: 0,
            cached_tokens: reported.cached_tokens,
            reasoning_tokens: None,
            estimated: counted.is_none(),
            cost: reported.cost,
        }
    }

    /// Both kinds together.
    #[must_use]
    pub const fn total_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// Lowers a cost that was only estimated to what was held back for it: nobody pays for our guesses what they had not agreed
    /// to.
    pub fn cap_estimate(&mut self, held: Option<Money>) {
        if let (true, Some(cost), Some(held)) = (self.estimated, self.cost, held) {
            self.cost = Some(cost.min(held));
        }
    }

    /// What it costs at these prices.
    #[must_use]
    pub fn cost_at(&self, prices: &TokenPrices) -> Option<Money> {
        prices.cost(TokenCounts {
            input: self.prompt_tokens,
            cached_input: self.cached_tokens.unwrap_or_default(),
            output: self.completion_tokens,
        })
    }
}

const fn estimate(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}

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
    /// The times before that a model was asked, and failed; the oldest first. Each has a row of its own.
    #[serde(default)]
    pub attempts: Vec<FailedAttempt>,
    /// Milliseconds from the start to the end; unknown where the process stopped in between.
    pub latency_ms: Option<u64>,
    /// Milliseconds from the start to the first token.
    pub first_token_ms: Option<u64>,
    /// Entered in place of whoever asked the model, who may still come and say what it really was.
    #[serde(default)]
    pub provisional: bool,
    /// When it ended.
    pub created_at: DateTime<Utc>,
}

/// Where usage is written down, and charged to whom it belongs.
#[async_trait]
pub trait UsageLedger: Send + Sync + 'static {
    /// Enters an event, charges its cost and releases what was reserved for it, all at once. Entering it twice is the same
    /// as once; one that is not provisional replaces one that is.
    ///
    /// # Errors
    /// A failing database; nothing has changed then.
    async fn record(&self, event: UsageEvent) -> Result<(), DatabaseError>;
}
