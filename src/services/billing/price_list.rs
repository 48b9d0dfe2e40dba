//! What models cost, and what bounds their answers.

use async_trait::async_trait;

use super::AnswerUsage;
use crate::models::model::Provider;
use crate::models::money::Money;
use crate::models::price::TokenPrices;

/// What an answer of a model can cost at most depends on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// What its tokens cost.
    pub prices: TokenPrices,
    /// The most tokens that it reads and writes together.
    pub context_window: Option<u64>,
    /// The most tokens that it writes.
    pub max_output_tokens: Option<u64>,
    /// The most tokens that it reads for one image.
    pub image_tokens: u64,
}

impl Rates {
    /// What holds where either of two models may answer: of each the higher, and nothing where either is unknown.
    #[must_use]
    pub fn dearest(self, other: Self) -> Self {
        let higher = |one: Option<u64>, two: Option<u64>| Some(one?.max(two?));
        Self {
            prices: self.prices.dearer(other.prices),
            context_window: higher(self.context_window, other.context_window),
            max_output_tokens: higher(self.max_output_tokens, other.max_output_tokens),
            image_tokens: self.image_tokens.max(other.image_tokens),
        }
    }
}

/// What models cost, for answers whose cost their model server does not tell, and for what is held back.
#[async_trait]
pub trait PriceList: Send + Sync + 'static {
    /// Waits, for a bounded time, until it knows what the model server says.
    async fn ready(&self);

    /// The rates of this model; `None` if nobody knows it.
    fn rates(&self, model: &str) -> Option<Rates>;

    /// What this usage of the model costs by its prices. `None` if one that is needed is unknown.
    fn cost(&self, model: &str, usage: &AnswerUsage) -> Option<Money> {
        usage.cost_at(&self.rates(model)?.prices)
    }
}

/// OpenAI's models that are known not to count images as `gpt-4o-mini` does.
const OPENAI_OTHERS: [&str; 8] = ["gpt-4.1", "gpt-4-", "gpt-5", "gpt-6", "o1", "o3", "o4", "chatgpt"];

/// The most tokens that a provider's models read for one image, at any resolution they take (providers' documentation of
/// 2026, rounded up). `gpt-4o-mini` counts each tile as 5,667 tokens, to make images cost what they do with `gpt-4o`; a name
/// that is nobody's may stand for it.
#[must_use]
pub fn image_tokens(provider: Provider, model: &str) -> u64 {
    let name = model.rsplit('/').next().unwrap_or(model);
    match provider {
        Provider::Anthropic => 5_000,
        Provider::Google => 6_000,
        Provider::Openai if OPENAI_OTHERS.iter().any(|other| name.starts_with(other)) => 10_240,
        Provider::Openai if name.starts_with("gpt-4o") && !name.contains("mini") => 10_240,
        Provider::Openai | Provider::Other => 48_200,
        _ => 10_240,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_may_be_the_model_with_the_dearest_images() {
        for (model, tokens) in [
            ("gpt-4o-mini", 48_200),
            ("fast", 48_200),
            ("openai/gpt-4o-2024-11-20", 10_240),
            ("gpt-5-mini", 10_240),
        ] {
            assert_eq!(image_tokens(Provider::Openai, model), tokens, "{model}");
        }
        assert_eq!(image_tokens(Provider::Anthropic, "fast"), 5_000);
    }
}
