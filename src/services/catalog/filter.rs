//! Which models a list shows, and in which order.

use std::cmp::Ordering;

use crate::models::common::SortOrder;
use crate::models::model::{Capability, ModelInfo, ModelMode, ModelSort, ModelStatus, Provider};
use crate::models::money::Money;

/// What a model must be to be listed: all of it. What is not known of a model does not pass a filter that asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelFilter {
    /// Who made it.
    pub provider: Option<Provider>,
    /// What it is called for.
    pub mode: Option<ModelMode>,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// Whether its answers can be streamed.
    pub supports_streaming: Option<bool>,
    /// Whether it can call functions.
    pub supports_functions: Option<bool>,
    /// Whether it sees images.
    pub supports_vision: Option<bool>,
    /// Tokens that it reads at least.
    pub min_context_window: Option<u64>,
    /// Tokens that it writes at least.
    pub min_output_tokens: Option<u64>,
    /// What a million input tokens cost at most.
    pub max_input_price: Option<Money>,
    /// What a million output tokens cost at most.
    pub max_output_price: Option<Money>,
    /// Whether those that do not work are left out.
    pub available_only: bool,
}

impl ModelFilter {
    /// Whether the model is all of it.
    #[must_use]
    pub fn admits(&self, model: &ModelInfo) -> bool {
        let same = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        let at_least = |least: Option<u64>, is: Option<u64>| least.is_none_or(|least| is >= Some(least));
        let at_most = |most: Option<Money>, is: Option<Money>| {
            most.is_none_or(|most| is.is_some_and(|price| price <= most))
        };
        self.provider.is_none_or(|provider| provider == model.provider)
            && self.mode.is_none_or(|mode| mode == model.mode)
            && self.capabilities.iter().all(|capability| model.has(*capability))
            && same(self.supports_streaming, model.supports_streaming)
            && same(self.supports_functions, model.supports_functions)
            && same(self.supports_vision, model.supports_vision)
            && at_least(self.min_context_window, model.limits.context_window)
            && at_least(self.min_output_tokens, model.limits.max_output_tokens)
            && at_most(self.max_input_price, model.pricing.input_per_1m)
            && at_most(self.max_output_price, model.pricing.output_per_1m)
            && !(self.available_only && model.status == ModelStatus::Unavailable)
    }
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelOrder {
    /// What it is sorted by.
    pub by: ModelSort,
    /// Which end comes first.
    pub order: SortOrder,
}

impl ModelOrder {
    /// Sorts. Equals go by their ids, and what is not known comes last whichever end is first.
    pub fn sort(self, models: &mut [&ModelInfo]) {
        models.sort_by(|one, other| self.compare(one, other).then_with(|| one.id.cmp(&other.id)));
    }

    fn compare(self, one: &ModelInfo, other: &ModelInfo) -> Ordering {
        let name = |model: &ModelInfo| model.name.to_lowercase();
        match self.by {
            ModelSort::Name => self.known(Some(name(one)), Some(name(other))),
            ModelSort::Provider => self.known(
                Some((one.provider.as_str(), name(one))),
                Some((other.provider.as_str(), name(other))),
            ),
            ModelSort::InputPrice => self.known(one.pricing.input_per_1m, other.pricing.input_per_1m),
            ModelSort::OutputPrice => self.known(one.pricing.output_per_1m, other.pricing.output_per_1m),
            ModelSort::ContextWindow => self.known(one.limits.context_window, other.limits.context_window),
        }
    }

    fn known<T: Ord>(self, one: Option<T>, other: Option<T>) -> Ordering {
        match (one, other) {
            (Some(one), Some(other)) => match self.order {
                SortOrder::Asc => one.cmp(&other),
                SortOrder::Desc => other.cmp(&one),
            },
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    }
}
