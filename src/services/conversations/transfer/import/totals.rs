//! Bounds on what answers used and cost, so that sums over a user's conversations fit what a database counts in.

use std::fmt;

use super::limits::Refusal;
use crate::models::message::MessageUsage;

/// Most tokens of each kind that one message used.
const MAX_TOKENS: u64 = 1 << 40;

/// Most that one message cost, in nano-dollars: a thousand dollars.
const MAX_COST_NANO: u64 = 1_000 * 1_000_000_000;

/// Most tokens, or nano-dollars, of a conversation. Those of a million conversations, which is the most that a user may
/// have, can be added up in 63 bits.
pub const MAX_TOTAL: u64 = 1 << 43;

/// The sums over a conversation's answers, kept within what can be added up with those of others.
#[derive(Debug, Default)]
pub(super) struct Totals {
    tokens: u64,
    nano_dollars: u64,
}

impl Totals {
    /// Adds one answer's usage.
    pub(super) fn add(&mut self, field: impl fmt::Display, usage: &MessageUsage) -> Result<(), Refusal> {
        let cost = usage.cost_usd.map_or(0, |cost| cost.nano().unsigned_abs());
        for (name, count, max) in [
            ("prompt_tokens", usage.prompt_tokens, MAX_TOKENS),
            ("completion_tokens", usage.completion_tokens, MAX_TOKENS),
            ("total_tokens", usage.total_tokens, MAX_TOKENS),
            ("cost_usd", cost, MAX_COST_NANO),
        ] {
            if count > max {
                return Err(Refusal::field(format_args!("{field}.{name}"), "is too large"));
            }
        }
        // Neither sum overflows: each is checked before anything is added again.
        self.tokens += usage.total_tokens;
        self.nano_dollars += cost;
        if self.tokens.max(self.nano_dollars) > MAX_TOTAL {
            return Err(Refusal::field(
                field,
                "makes the conversation's sums too large to be added up",
            ));
        }
        Ok(())
    }
}
