//! What is kept of users, as they get it, and what was erased of them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::ids::{ConversationId, MessageId, StreamId};
use super::message::MessageStatus;
use super::money::Money;

/// How many of each thing were erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErasedCounts {
    /// Profiles: 1, or 0 if there was none.
    pub profiles: u64,
    /// Accounts: 1, or 0 if there was none.
    pub accounts: u64,
    /// Conversations.
    pub conversations: u64,
    /// Their branches.
    pub branches: u64,
    /// Their messages.
    pub messages: u64,
    /// API keys, revoked ones included.
    pub api_keys: u64,
    /// Entries of the usage ledger. What they add up to stays, by day and model, as nobody's.
    pub usage_events: u64,
    /// Sums of what was used.
    pub usage_sums: u64,
    /// Counts of what was done beside chatting, one for each day and kind.
    pub feature_uses: u64,
    /// What changed the balance.
    pub balance_entries: u64,
    /// Idempotency keys.
    pub idempotency_keys: u64,
    /// Answers and charges that waited to be stored, in the database and in the files of the instance that was asked.
    pub outbox_entries: u64,
    /// Answers that somebody was still at work on. They are dropped when they end.
    pub unfinished_answers: u64,
}

impl ErasedCounts {
    /// Adds what another piece of work has erased.
    pub const fn add(&mut self, other: &Self) {
        self.profiles += other.profiles;
        self.accounts += other.accounts;
        self.conversations += other.conversations;
        self.branches += other.branches;
        self.messages += other.messages;
        self.api_keys += other.api_keys;
        self.usage_events += other.usage_events;
        self.usage_sums += other.usage_sums;
        self.feature_uses += other.feature_uses;
        self.balance_entries += other.balance_entries;
        self.idempotency_keys += other.idempotency_keys;
        self.outbox_entries += other.outbox_entries;
        self.unfinished_answers += other.unfinished_answers;
    }
}

/// How often something was done beside chatting, in an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedUses {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// What was done.
    pub feature: String,
    /// How often.
    pub uses: u64,
}

/// One time that a model was asked, in an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedUsage {
    /// The stream of the answer.
    pub stream_id: StreamId,
    /// 1 for the first time that a model was asked for it.
    pub attempt: u64,
    /// The request that asked for it.
    pub request_id: String,
    /// Where it was asked for; null in OpenAI-compatible chat.
    pub conversation_id: Option<ConversationId>,
    /// The answer.
    pub message_id: Option<MessageId>,
    /// The model.
    pub model: String,
    /// How it ended; null if it was tried again.
    pub status: Option<MessageStatus>,
    /// Why it was tried again.
    pub error: Option<String>,
    /// Whether the client read a stream.
    pub streamed: bool,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// Of those read, tokens that the model had cached.
    pub cached_tokens: Option<u64>,
    /// Of those written, tokens of reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Whether the tokens were counted by the service.
    pub estimated: bool,
    /// Dollars; null if nobody knows.
    pub cost_usd: Option<Money>,
    /// Milliseconds to the end.
    pub latency_ms: Option<u64>,
    /// Milliseconds to the first token.
    pub time_to_first_token_ms: Option<u64>,
    /// When it ended.
    pub created_at: DateTime<Utc>,
}
