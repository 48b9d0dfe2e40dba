//! What is held back for an answer that is being written.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::HoldTerms;
use crate::models::ids::{StreamId, UserId};
use crate::models::money::Money;
use crate::models::price::TokenPrices;

/// An answer for which something is to be held back.
#[derive(Debug, Clone)]
pub struct Reservation {
    /// Its stream.
    pub id: StreamId,
    /// Whose it is.
    pub user_id: UserId,
    /// The request that asks for it.
    pub request_id: Arc<str>,
    /// The model that is asked.
    pub model: Arc<str>,
    /// Whether the client reads a stream.
    pub streamed: bool,
    /// Bytes of text that the model is sent.
    pub sent_bytes: u64,
    /// The most tokens that it reads.
    pub input_tokens: u64,
    /// On which terms.
    pub terms: HoldTerms,
}

/// What is held back for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hold {
    /// How much; `None` for users without a budget, and where nobody knows a price.
    pub amount: Option<Money>,
    /// How many tokens each choice may have, where that is fewer than were wanted.
    pub max_tokens: Option<u64>,
    /// Whether little is left, beside what is held back.
    pub is_low: bool,
}

/// A reservation whose stream nobody produces.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// The stream.
    pub id: StreamId,
    /// Whose it is.
    pub user_id: UserId,
    /// The request that asked for it.
    pub request_id: Arc<str>,
    /// The model that was asked, if it still came to that.
    pub model: Arc<str>,
    /// Whether the client read a stream.
    pub streamed: bool,
    /// Bytes of text that the model was sent.
    pub sent_bytes: u64,
    /// The prices that it was begun at, as far as they were known.
    pub prices: TokenPrices,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
}
