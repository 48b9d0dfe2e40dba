//! What can be added up of usage.

use std::iter::Sum;
use std::ops::AddAssign;

use crate::models::analytics::UsageFigures;
use crate::models::money::Money;

/// Sums over some entries of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Entries.
    pub requests: u64,
    /// Of them, those that failed or were interrupted.
    pub errors: u64,
    /// Of them, those that were read as streams.
    pub streamed: u64,
    /// Tokens that models read.
    pub prompt_tokens: u64,
    /// Tokens that models wrote.
    pub completion_tokens: u64,
    /// Of the read ones, those from a provider's cache.
    pub cached_tokens: u64,
    /// Of the written ones, those of reasoning.
    pub reasoning_tokens: u64,
    /// Nano-dollars, as far as costs are known.
    pub cost: i64,
    /// Milliseconds from starts to ends.
    pub latency_sum: u64,
    /// The entries that these are of.
    pub latency_count: u64,
    /// Milliseconds from starts to first tokens.
    pub first_token_sum: u64,
    /// The entries that these are of.
    pub first_token_count: u64,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        for (sum, addend) in [
            (&mut self.requests, other.requests),
            (&mut self.errors, other.errors),
            (&mut self.streamed, other.streamed),
            (&mut self.prompt_tokens, other.prompt_tokens),
            (&mut self.completion_tokens, other.completion_tokens),
            (&mut self.cached_tokens, other.cached_tokens),
            (&mut self.reasoning_tokens, other.reasoning_tokens),
            (&mut self.latency_sum, other.latency_sum),
            (&mut self.latency_count, other.latency_count),
            (&mut self.first_token_sum, other.first_token_sum),
            (&mut self.first_token_count, other.first_token_count),
        ] {
            *sum = sum.saturating_add(addend);
        }
        self.cost = self.cost.saturating_add(other.cost);
    }
}

impl Sum for Figures {
    fn sum<I: Iterator<Item = Self>>(figures: I) -> Self {
        figures.fold(Self::default(), |mut sum, addend| {
            sum += addend;
            sum
        })
    }
}

impl From<Figures> for UsageFigures {
    fn from(sums: Figures) -> Self {
        Self {
            requests: sums.requests,
            errors: sums.errors,
            streamed: sums.streamed,
            prompt_tokens: sums.prompt_tokens,
            completion_tokens: sums.completion_tokens,
            cached_tokens: sums.cached_tokens,
            reasoning_tokens: sums.reasoning_tokens,
            total_tokens: sums.prompt_tokens.saturating_add(sums.completion_tokens),
            cost_usd: Money::from_nano(sums.cost),
            latency_ms: mean(sums.latency_sum, sums.latency_count),
            time_to_first_token_ms: mean(sums.first_token_sum, sums.first_token_count),
        }
    }
}

/// To the nearest whole number.
fn mean(sum: u64, count: u64) -> Option<u64> {
    (sum.saturating_add(count / 2)).checked_div(count)
}
