//! From what was said of a name to a model: the gaps are filled from the table of well-known models and by inference.

use chrono::NaiveDate;

use super::provider;
use super::sources::Gathered;
use super::well_known::{WellKnown, WellKnownModel};
use crate::models::model::{
    Capability, ModelInfo, ModelLimits, ModelMetadata, ModelMode, ModelObject, ModelPricing, ModelSource,
    ModelStatus, Provider,
};
use crate::models::price::TokenPrices;
use crate::services::llm::ModelFacts;

/// What parts of a name tell what a model is called for, where nobody says.
const MODE_WORDS: [(&str, ModelMode); 12] = [
    ("embed", ModelMode::Embedding),
    ("rerank", ModelMode::Rerank),
    ("whisper", ModelMode::Audio),
    ("tts", ModelMode::Audio),
    ("transcribe", ModelMode::Audio),
    ("realtime", ModelMode::Audio),
    ("dall-e", ModelMode::Image),
    ("gpt-image", ModelMode::Image),
    ("imagen", ModelMode::Image),
    ("stable-diffusion", ModelMode::Image),
    ("moderation", ModelMode::Other),
    ("sora", ModelMode::Other),
];

/// The model of which this was said. `today` decides whether it is deprecated.
pub(super) fn model(gathered: &Gathered, today: NaiveDate) -> ModelInfo {
    let facts = &gathered.facts;
    let underlying = facts.underlying.as_deref();
    let table = WellKnown::table();
    let known = underlying
        .and_then(|name| table.find(name))
        .or_else(|| table.find(&facts.id));
    let provider = known.map_or_else(
        || provider::infer(underlying.into_iter().chain([facts.id.as_str()]), &facts.hosts),
        |known| known.provider,
    );
    let mode = facts
        .mode
        .or_else(|| known.map(|known| known.mode))
        .unwrap_or_else(|| mode_by_name(underlying.unwrap_or(&facts.id)));
    let capabilities = capabilities(facts, known, mode);
    let (prices, priced_by) = prices(gathered, known);
    let mut sources = gathered.sources.clone();
    sources.extend(known.map(|_| ModelSource::WellKnown));
    ModelInfo {
        id: facts.id.clone(),
        object: ModelObject::Model,
        created: facts.created.unwrap_or_default(),
        owned_by: owner(facts, provider),
        name: name(facts, known),
        provider,
        mode,
        status: status(facts, today),
        supports_streaming: matches!(mode, ModelMode::Chat | ModelMode::Completion),
        supports_functions: capabilities.contains(&Capability::FunctionCalling),
        supports_vision: capabilities.contains(&Capability::Vision),
        capabilities,
        limits: ModelLimits {
            context_window: facts
                .context_window
                .or(known.and_then(|known| known.context_window)),
            max_output_tokens: facts
                .max_output_tokens
                .or(known.and_then(|known| known.max_output_tokens)),
        },
        pricing: ModelPricing {
            input_per_1m: prices.input,
            output_per_1m: prices.output,
            cached_input_per_1m: prices.cached_input,
            currency: "USD",
        },
        description: facts.description.clone(),
        metadata: ModelMetadata {
            sources,
            priced_by,
            hosts: facts.hosts.clone(),
            deprecated_on: facts.deprecated_on,
            has_larger_limits: facts.has_larger_limits,
            wildcard: None,
        },
    }
}

/// The table's name fits a model that is listed under its own name; an alias such as `fast` is what people know.
fn name(facts: &ModelFacts, known: Option<&WellKnownModel>) -> String {
    let is_alias = WellKnown::table().find(&facts.id).is_none();
    facts
        .name
        .clone()
        .or_else(|| known.filter(|_| !is_alias).map(|known| known.name.clone()))
        .unwrap_or_else(|| facts.id.clone())
}

/// LiteLLM says `openai` of every model, so the provider goes first.
fn owner(facts: &ModelFacts, provider: Provider) -> String {
    match (provider, &facts.owned_by) {
        (Provider::Other, Some(owner)) => owner.clone(),
        (provider, _) => provider.as_str().to_owned(),
    }
}

fn status(facts: &ModelFacts, today: NaiveDate) -> ModelStatus {
    match (facts.healthy, facts.deprecated_on) {
        (Some(false), _) => ModelStatus::Unavailable,
        (_, Some(day)) if day <= today => ModelStatus::Deprecated,
        _ => ModelStatus::Available,
    }
}

/// What the model server says it can do, or does not deny and the table knows.
fn capabilities(facts: &ModelFacts, known: Option<&WellKnownModel>, mode: ModelMode) -> Vec<Capability> {
    let has = |capability: &Capability| {
        if *capability == Capability::Chat {
            return mode == ModelMode::Chat;
        }
        let is_known = || known.is_some_and(|known| known.capabilities.contains(capability));
        facts
            .capabilities
            .get(capability)
            .copied()
            .unwrap_or_else(is_known)
    };
    Capability::ALL.iter().copied().filter(|one| has(one)).collect()
}

/// What the model server says it costs, else what the table knows. The table has the prices of the provider's own
/// service: they hold unless the server names only others as hosts.
fn prices(gathered: &Gathered, known: Option<&WellKnownModel>) -> (TokenPrices, Option<ModelSource>) {
    let told = gathered.facts.prices;
    let hosts = &gathered.facts.hosts;
    let known = known.filter(|known| {
        hosts.is_empty()
            || hosts
                .iter()
                .any(|host| provider::by_host(host) == Some(known.provider))
    });
    match known.map(WellKnownModel::prices) {
        Some(prices) if gathered.priced_by.is_none() => {
            let is_priced = prices.input.is_some() || prices.output.is_some();
            (prices, is_priced.then_some(ModelSource::WellKnown))
        }
        // Prices belong together: those of two price lists are not mixed, unless they are seen to be the same.
        Some(prices) if told.input == prices.input => {
            let completed = TokenPrices {
                input: told.input,
                output: told.output.or(prices.output),
                cached_input: told.cached_input.or(prices.cached_input),
            };
            (completed, gathered.priced_by)
        }
        _ => (told, gathered.priced_by),
    }
}

fn mode_by_name(name: &str) -> ModelMode {
    let name = name.to_lowercase();
    let told = MODE_WORDS.iter().find(|(word, _)| name.contains(word));
    told.map_or(ModelMode::Chat, |(_, mode)| *mode)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::models::money::Money;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 23).expect("a day")
    }

    fn of(facts: ModelFacts) -> ModelInfo {
        let is_priced = facts.prices.input.is_some();
        let gathered = Gathered {
            facts,
            sources: vec![ModelSource::Models],
            priced_by: is_priced.then_some(ModelSource::Models),
        };
        model(&gathered, today())
    }

    fn named(id: &str) -> ModelFacts {
        ModelFacts {
            id: id.to_owned(),
            ..ModelFacts::default()
        }
    }

    #[test]
    fn a_bare_name_that_is_well_known_is_known_wholly() {
        let model = of(named("gpt-4o-mini"));
        assert_eq!(
            (model.name.as_str(), model.owned_by.as_str()),
            ("GPT-4o Mini", "openai")
        );
        assert_eq!(model.limits.context_window, Some(128_000));
        assert_eq!(model.pricing.input_per_1m, Some(Money::from_nano(150_000_000)));
        assert!(model.supports_vision && model.supports_functions && model.supports_streaming);
        assert_eq!(
            model.metadata.sources,
            [ModelSource::Models, ModelSource::WellKnown]
        );
        assert_eq!(model.metadata.priced_by, Some(ModelSource::WellKnown));
    }

    #[test]
    fn a_name_that_nobody_knows_is_a_chat_model_without_a_price() {
        let model = of(named("house-blend"));
        assert_eq!(
            (model.name.as_str(), model.provider),
            ("house-blend", Provider::Other)
        );
        assert_eq!(
            (model.mode, model.capabilities.as_slice()),
            (ModelMode::Chat, &[Capability::Chat][..])
        );
        assert_eq!(
            (model.pricing.input_per_1m, model.metadata.priced_by),
            (None, None)
        );
        assert_eq!(of(named("house-embedder")).mode, ModelMode::Embedding);
    }

    #[test]
    fn an_alias_is_known_by_what_stands_behind_it_and_keeps_its_name() {
        let model = of(ModelFacts {
            underlying: Some("anthropic/claude-sonnet-4-5".to_owned()),
            hosts: vec!["anthropic".to_owned()],
            ..named("smart")
        });
        assert_eq!(
            (model.name.as_str(), model.provider),
            ("smart", Provider::Anthropic)
        );
        assert_eq!(
            model.pricing.output_per_1m,
            Some(Money::from_nano(15_000_000_000))
        );
    }

    #[test]
    fn the_server_is_believed_before_the_table() {
        let model = of(ModelFacts {
            context_window: Some(1_000),
            capabilities: BTreeMap::from([(Capability::Vision, false), (Capability::ComputerUse, true)]),
            prices: TokenPrices {
                input: Some(Money::from_nano(7)),
                ..TokenPrices::default()
            },
            ..named("gpt-4o-mini")
        });
        assert_eq!(model.limits.context_window, Some(1_000));
        assert!(!model.supports_vision && model.has(Capability::ComputerUse));
        assert_eq!(model.pricing.input_per_1m, Some(Money::from_nano(7)));
        assert_eq!(model.pricing.output_per_1m, None, "two price lists are not mixed");
        assert_eq!(model.metadata.priced_by, Some(ModelSource::Models));
    }

    #[test]
    fn the_table_has_no_price_for_what_others_run() {
        let model = of(ModelFacts {
            hosts: vec!["together_ai".to_owned()],
            ..named("deepseek-r1")
        });
        assert_eq!(
            (model.pricing.input_per_1m, model.limits.context_window),
            (None, Some(65_536))
        );
    }

    #[test]
    fn the_status_follows_health_and_the_day() {
        let status = |healthy, deprecated_on| {
            of(ModelFacts {
                healthy,
                deprecated_on,
                ..named("m")
            })
            .status
        };
        assert_eq!(status(None, None), ModelStatus::Available);
        assert_eq!(status(Some(true), today().succ_opt()), ModelStatus::Available);
        assert_eq!(status(None, Some(today())), ModelStatus::Deprecated);
        assert_eq!(status(Some(false), Some(today())), ModelStatus::Unavailable);
    }
}
