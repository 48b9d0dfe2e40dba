//! What each provider has.

use std::collections::BTreeMap;

use crate::models::model::{ModelInfo, ModelStatus, PriceRange, Provider, ProviderSummary};
use crate::models::money::Money;

/// A summary for each provider that has a model, by their names.
pub(super) fn providers(models: &[ModelInfo]) -> Vec<ProviderSummary> {
    let mut by_provider: BTreeMap<&str, (Provider, Vec<&ModelInfo>)> = BTreeMap::new();
    for model in models {
        let (_, of_provider) = by_provider
            .entry(model.provider.as_str())
            .or_insert_with(|| (model.provider, Vec::new()));
        of_provider.push(model);
    }
    let summaries = by_provider.into_values();
    summaries
        .map(|(provider, models)| summary(provider, &models))
        .collect()
}

fn summary(provider: Provider, models: &[&ModelInfo]) -> ProviderSummary {
    let is_available = |model: &&&ModelInfo| model.status == ModelStatus::Available;
    let capabilities = models.iter().flat_map(|model| &model.capabilities);
    ProviderSummary {
        provider,
        models: models.len(),
        available: models.iter().filter(is_available).count(),
        modes: counts(models.iter().map(|model| model.mode)),
        capabilities: counts(capabilities.copied()),
        input_per_1m: range(models.iter().filter_map(|model| model.pricing.input_per_1m)),
        output_per_1m: range(models.iter().filter_map(|model| model.pricing.output_per_1m)),
    }
}

fn counts<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

fn range(prices: impl Iterator<Item = Money>) -> Option<PriceRange> {
    prices.fold(None, |range, price| {
        let range = range.unwrap_or(PriceRange {
            min: price,
            max: price,
        });
        Some(PriceRange {
            min: range.min.min(price),
            max: range.max.max(price),
        })
    })
}
