//! Balances, as the API shows them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::ids::MessageId;
use super::money::Money;

/// What a user may spend. Amounts are US dollars, exact to the ninth decimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Balance {
    /// What is left: neither spent nor reserved. `null`: as much as the user likes.
    #[schema(value_type = Option<f64>, example = 9.25)]
    pub available_balance: Option<Money>,
    /// What is held back for answers that are being written.
    #[schema(value_type = f64, example = 0.05)]
    pub reserved: Money,
    /// What was spent in all.
    #[schema(value_type = f64, example = 0.7)]
    pub spend: Money,
    /// What may be spent in all; `null`: as much as the user likes.
    #[schema(value_type = Option<f64>, example = 10.0)]
    pub max_budget: Option<Money>,
    /// What was spent since the first of this month (UTC).
    #[schema(value_type = f64, example = 0.2)]
    pub period_spend: Money,
    /// Whether less than a tenth of the budget is left, or less than what must be left for an answer.
    pub is_low: bool,
    /// Whether there is enough left for an answer, and the account is not suspended.
    pub can_chat: bool,
}

/// What kind of change an entry tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// An answer was paid for.
    Charge,
    /// The budget was changed.
    Credit,
    /// A charge was taken back.
    Refund,
}

impl EntryKind {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Credit => "credit",
            Self::Refund => "refund",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Charge, Self::Credit, Self::Refund]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// Something that changed a balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BalanceEntry {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: EntryKind,
    /// Dollars: of a charge what was taken, of a refund what was given back, of a credit how the budget changed (less than
    /// zero if it was lowered).
    #[schema(value_type = f64, example = 0.000135)]
    pub amount: Money,
    /// The budget without what was spent until then; `null`: there was no budget.
    #[schema(value_type = Option<f64>, example = 9.999865)]
    pub balance_after: Option<Money>,
    /// The message that was paid for.
    pub message_id: Option<MessageId>,
    /// Its model.
    pub model: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
}
