//! Models that fit some words, the best first.

use crate::models::model::ModelInfo;

/// How well a word fits what it is found in.
mod score {
    pub(super) const WHOLE_ID: u32 = 1_000;
    pub(super) const WORD_OF_NAME: u32 = 40;
    pub(super) const BEGINNING_IN_NAME: u32 = 20;
    pub(super) const WITHIN_NAME: u32 = 10;
    pub(super) const PROVIDER: u32 = 30;
    pub(super) const BEGINNING_OF_PROVIDER: u32 = 15;
    pub(super) const CAPABILITY: u32 = 5;
}

/// The models in which every word of the query is found: in the id or the name, as the provider, or as a capability. A
/// word that is a whole word there counts more than one that begins or is a part of one; whose id is the query comes first.
/// Of equals, the shorter id comes first. A query without any letter or digit finds nothing.
pub(super) fn search<'a>(models: &'a [ModelInfo], query: &str) -> Vec<&'a ModelInfo> {
    let query = query.trim().to_lowercase();
    let words: Vec<&str> = words(&query).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut hits: Vec<_> = models
        .iter()
        .filter_map(|model| Some((rank(model, &query, &words)?, model)))
        .collect();
    hits.sort_by(|(one_rank, one), (other_rank, other)| {
        let by_id = || {
            one.id
                .len()
                .cmp(&other.id.len())
                .then_with(|| one.id.cmp(&other.id))
        };
        other_rank.cmp(one_rank).then_with(by_id)
    });
    hits.into_iter().map(|(_, model)| model).collect()
}

/// How well a model fits; `None` if a word is not found.
fn rank(model: &ModelInfo, query: &str, wanted: &[&str]) -> Option<u32> {
    let texts = [model.id.to_lowercase(), model.name.to_lowercase()];
    let whole = if texts.iter().any(|text| text == query) {
        score::WHOLE_ID
    } else {
        0
    };
    wanted.iter().try_fold(whole, |rank, word| {
        let in_names = texts.iter().filter_map(|text| in_name(text, word)).max();
        let found = [in_names, as_provider(model, word), as_capability(model, word)];
        Some(rank + found.into_iter().flatten().max()?)
    })
}

fn in_name(text: &str, word: &str) -> Option<u32> {
    if words(text).any(|part| part == word) {
        Some(score::WORD_OF_NAME)
    } else if words(text).any(|part| part.starts_with(word)) {
        Some(score::BEGINNING_IN_NAME)
    } else {
        text.contains(word).then_some(score::WITHIN_NAME)
    }
}

fn as_provider(model: &ModelInfo, word: &str) -> Option<u32> {
    let provider = model.provider.as_str();
    if provider == word {
        Some(score::PROVIDER)
    } else {
        provider.starts_with(word).then_some(score::BEGINNING_OF_PROVIDER)
    }
}

/// Capabilities are found by any of their words: `function` as well as `function_calling`.
fn as_capability(model: &ModelInfo, word: &str) -> Option<u32> {
    let mut names = model.capabilities.iter().map(|capability| capability.as_str());
    names
        .any(|name| name.split('_').any(|part| part.starts_with(word)))
        .then_some(score::CAPABILITY)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::snapshot::Snapshot;
    use super::super::sources::Gathered;
    use super::*;
    use crate::services::llm::ModelFacts;

    fn found(query: &str) -> Vec<String> {
        let ids = [
            "gpt-4o",
            "gpt-4o-mini",
            "azure/gpt-4o",
            "claude-sonnet-4-5",
            "o3",
            "text-embedding-3-small",
            "東京",
        ];
        let gathered = ids.map(|id| Gathered {
            facts: ModelFacts {
                id: id.to_owned(),
                ..ModelFacts::default()
            },
            ..Gathered::default()
        });
        let snapshot = Snapshot::new(gathered.into(), DateTime::UNIX_EPOCH);
        let hits = search(snapshot.models(), query);
        hits.iter().map(|model| model.id.clone()).collect()
    }

    #[test]
    fn the_best_comes_first() {
        assert_eq!(found("gpt-4o"), ["gpt-4o", "azure/gpt-4o", "gpt-4o-mini"]);
        assert_eq!(found("GPT mini"), ["gpt-4o-mini"]);
        assert_eq!(found("anthropic"), ["claude-sonnet-4-5"]);
        assert_eq!(found("openai reasoning"), ["o3"]);
        assert_eq!(found("sonn"), ["claude-sonnet-4-5"]);
        assert_eq!(found("onnet"), ["claude-sonnet-4-5"], "also within a word");
        assert_eq!(found("embedding small"), ["text-embedding-3-small"]);
        assert_eq!(found("東"), ["東京"]);
    }

    #[test]
    fn any_text_is_only_a_text() {
        for query in ["", " ", "%", "\"", "*", "((((", "gpt-4o DROP", "no-such"] {
            assert_eq!(found(query), Vec::<String>::new(), "{query}");
        }
    }
}
