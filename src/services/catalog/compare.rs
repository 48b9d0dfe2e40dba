//! Models side by side.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::models::model::{Capability, Comparison, ComparisonMatrix, ModelCost, ModelInfo, ReferenceChat};
use crate::models::money::Money;
use crate::models::price::{TokenCounts, TokenPrices};

/// The chat whose cost is compared: a page of conversation, and an answer of some paragraphs.
const REFERENCE: TokenCounts = TokenCounts {
    input: 1_000,
    cached_input: 0,
    output: 500,
};

/// Compares models. `None` if there are none.
pub(super) fn compare(models: Vec<ModelInfo>) -> Option<Comparison> {
    let costs: Vec<_> = models
        .iter()
        .map(|model| ModelCost {
            model_id: model.id.clone(),
            cost_usd: reference_cost(model),
        })
        .collect();
    let cheapest = costs
        .iter()
        .filter_map(|cost| Some((cost.cost_usd?, &cost.model_id)));
    let cheapest = cheapest.min_by_key(|(cost, _)| *cost).map(|(_, id)| id.clone());
    Some(Comparison {
        matrix: matrix(&models),
        cheapest,
        largest: largest(&models),
        most_capable: most_capable(&models)?,
        reference_chat: ReferenceChat {
            input_tokens: REFERENCE.input,
            output_tokens: REFERENCE.output,
            costs,
        },
        models,
    })
}

fn reference_cost(model: &ModelInfo) -> Option<Money> {
    let prices = TokenPrices {
        input: model.pricing.input_per_1m,
        output: model.pricing.output_per_1m,
        cached_input: model.pricing.cached_input_per_1m,
    };
    prices.cost(REFERENCE)
}

/// The first of those with the largest window. `min` of the reverse, since `max_by_key` would give the last.
fn largest(models: &[ModelInfo]) -> Option<String> {
    let known = models
        .iter()
        .filter(|model| model.limits.context_window.is_some());
    let largest = known.min_by_key(|model| Reverse(model.limits.context_window));
    largest.map(|model| model.id.clone())
}

fn most_capable(models: &[ModelInfo]) -> Option<String> {
    let first = models
        .iter()
        .min_by_key(|model| Reverse((model.capabilities.len(), model.limits.context_window)));
    first.map(|model| model.id.clone())
}

fn matrix(models: &[ModelInfo]) -> ComparisonMatrix {
    let capabilities = Capability::ALL
        .iter()
        .filter(|capability| models.iter().any(|model| model.has(**capability)))
        .map(|capability| (*capability, by_id(models, |model| model.has(*capability))));
    ComparisonMatrix {
        context_window: by_id(models, |model| model.limits.context_window),
        max_output_tokens: by_id(models, |model| model.limits.max_output_tokens),
        input_per_1m: by_id(models, |model| model.pricing.input_per_1m),
        output_per_1m: by_id(models, |model| model.pricing.output_per_1m),
        cached_input_per_1m: by_id(models, |model| model.pricing.cached_input_per_1m),
        capabilities: capabilities.collect(),
    }
}

fn by_id<T>(models: &[ModelInfo], value: impl Fn(&ModelInfo) -> T) -> BTreeMap<String, T> {
    models
        .iter()
        .map(|model| (model.id.clone(), value(model)))
        .collect()
}
