//! What an answer may cost, decided before its model is asked.

use super::account::Need;
use super::input::InputSize;
use crate::models::money::Money;
use crate::models::price::TokenPrices;

/// On which terms an answer is begun.
#[derive(Debug, Clone)]
pub struct HoldTerms {
    /// The dearest prices of the models that may answer; `None` where one of them has none.
    pub prices: Option<TokenPrices>,
    /// Whether users with a budget may use models without a price (`ALLOW_UNPRICED_MODELS`).
    pub allow_unpriced: bool,
    /// `MIN_BALANCE_THRESHOLD`.
    pub threshold: Money,
    /// Tokens that an image costs at most.
    pub image_tokens: u64,
    /// The most tokens that the model reads: what is longer, it refuses.
    pub context_window: Option<u64>,
    /// What is sent beside the messages.
    pub beside: InputSize,
    /// The most tokens that the model may write, for each choice.
    pub max_tokens: u64,
    /// The same, where neither the request nor anybody who knows the model says it.
    pub assumed_limit: Option<u64>,
    /// How many answers are asked for.
    pub choices: u64,
    /// A field of the request that makes it cost something else than its tokens at these prices.
    pub unbounded_by: Option<&'static str>,
}

impl HoldTerms {
    /// The most tokens that the model reads where it is sent this.
    #[must_use]
    pub fn input_tokens(&self, messages: InputSize) -> u64 {
        let tokens = self.beside.and(messages).tokens_at_most(self.image_tokens);
        self.context_window.map_or(tokens, |window| tokens.min(window))
    }

    /// What an answer to this input needs; `None` without prices. What is free needs nothing to be left.
    #[must_use]
    pub fn need(&self, input_tokens: u64) -> Option<Need> {
        let prices = self.prices?;
        let most = prices.worst(input_tokens, self.max_tokens.saturating_mul(self.choices))?;
        Some(Need {
            least: prices.worst(input_tokens, self.choices)?,
            most,
            threshold: if most == Money::ZERO {
                Money::ZERO
            } else {
                self.threshold
            },
        })
    }

    /// How many tokens each choice may have where so much is held back, if that is fewer than were wanted.
    #[must_use]
    pub fn shortened(&self, amount: Money, input_tokens: u64) -> Option<u64> {
        let covered = self.prices?.output_within(amount, input_tokens)? / self.choices.max(1);
        (covered < self.max_tokens).then_some(covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::billing::Account;
    use proptest::prelude::*;

    fn terms(max_tokens: u64, choices: u64) -> HoldTerms {
        HoldTerms {
            prices: Some(TokenPrices {
                input: Some(Money::from_nano(150_000_000)),
                output: Some(Money::from_nano(600_000_000)),
                cached_input: Some(Money::from_nano(75_000_000)),
            }),
            allow_unpriced: false,
            threshold: Money::from_nano(1_000),
            image_tokens: 0,
            context_window: Some(10_000),
            beside: InputSize::default(),
            max_tokens,
            assumed_limit: None,
            choices,
            unbounded_by: None,
        }
    }

    #[test]
    fn the_input_is_no_longer_than_what_the_model_reads() {
        assert_eq!(terms(1, 1).input_tokens(InputSize::text(500)), 500);
        assert_eq!(terms(1, 1).input_tokens(InputSize::text(50_000)), 10_000);
    }

    #[test]
    fn what_is_free_needs_nothing() {
        let free = HoldTerms {
            prices: Some(TokenPrices::FREE),
            ..terms(1_000, 1)
        };
        let need = free.need(100).expect("it has a price");
        assert_eq!((need.most, need.threshold), (Money::ZERO, Money::ZERO));
        assert_eq!(free.shortened(Money::ZERO, 100), None);
        let unknown = HoldTerms { prices: None, ..free };
        assert_eq!(unknown.need(100), None);
    }

    proptest! {
        #[test]
        fn a_shortened_answer_costs_no_more_than_is_held_back(
            budget in 0_i64..20_000_000,
            input in 1_u64..5_000,
            max_tokens in 1_u64..20_000,
            choices in 1_u64..5,
        ) {
            let terms = terms(max_tokens, choices);
            let mut account = Account::new(Some(Money::from_nano(budget)));
            if let Ok(Some(amount)) = account.reserve(terms.need(input).expect("it has a price")) {
                let granted = terms.shortened(amount, input).unwrap_or(max_tokens);
                prop_assert!(granted >= 1 && granted <= max_tokens);
                let worst = terms.prices.and_then(|prices| prices.worst(input, granted * choices));
                prop_assert!(worst.expect("a cost") <= amount);
            }
        }
    }
}
