//! Sums as they are read.
//!
//! What imports may make as large as they like is added up in halves, the upper and the lower 32 bits: a database fails
//! when a sum overflows.

use sqlx::FromRow;

use crate::models::branch::ModelCount;
use crate::models::conversation::{ConversationStats, MonthCount};
use crate::models::money::Money;
use crate::services::sql::rows::Removed;
use crate::services::sql::values::{count, sum};

/// The columns of what deleted messages took with them.
#[derive(Debug, FromRow)]
pub(in super::super) struct RemovedRecord {
    messages: i64,
    tokens_high: i64,
    tokens_low: i64,
    cost_high: i64,
    cost_low: i64,
}

impl From<RemovedRecord> for Removed {
    fn from(record: RemovedRecord) -> Self {
        Self {
            messages: count(record.messages),
            tokens: count(sum(record.tokens_high, record.tokens_low)),
            cost: Money::from_nano(sum(record.cost_high, record.cost_low)),
        }
    }
}

/// The columns of what a user's conversations add up to.
#[derive(Debug, FromRow)]
pub(in super::super) struct TotalsRecord {
    conversations: i64,
    active: i64,
    branches: i64,
    messages: i64,
    tokens_high: i64,
    tokens_low: i64,
    cost_high: i64,
    cost_low: i64,
}

impl TotalsRecord {
    /// With the answers of each model, and the conversations of each month.
    pub(in super::super) fn into_stats(
        self,
        models: Vec<(String, i64)>,
        months: Vec<(String, i64)>,
    ) -> ConversationStats {
        ConversationStats {
            conversations: count(self.conversations),
            active: count(self.active),
            archived: count(self.conversations - self.active),
            branches: count(self.branches),
            messages: count(self.messages),
            total_tokens: count(sum(self.tokens_high, self.tokens_low)),
            total_cost: Money::from_nano(sum(self.cost_high, self.cost_low)),
            models: models
                .into_iter()
                .map(|(model, answers)| ModelCount {
                    model,
                    count: count(answers),
                })
                .collect(),
            by_month: months
                .into_iter()
                .map(|(month, conversations)| MonthCount {
                    month,
                    conversations: count(conversations),
                })
                .collect(),
        }
    }
}
