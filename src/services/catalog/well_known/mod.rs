//! The built-in table of well-known models: what a model server does not say.
//!
//! `models.json` is a file of its day (`as_of`), one model a line. Prices are whole nano-dollars for a million tokens, as
//! the model's own provider asks them; models whose weights are open have none, since every host asks another. To bring
//! it up to date, change the file and its day.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde::Deserialize;

use crate::models::model::{Capability, ModelMode, Provider};
use crate::models::money::Money;
use crate::models::price::TokenPrices;

const FILE: &str = include_str!("models.json");

/// Makers whose name stands before the model's on Amazon Bedrock.
const BEDROCK_MAKERS: [&str; 5] = ["anthropic.", "meta.", "mistral.", "amazon.", "cohere."];

static TABLE: LazyLock<WellKnown> = LazyLock::new(|| WellKnown::read(FILE).unwrap_or_default());

/// The table.
#[derive(Debug, Default)]
pub(super) struct WellKnown {
    as_of: NaiveDate,
    models: HashMap<String, WellKnownModel>,
}

/// A model that is known without asking anybody.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WellKnownModel {
    id: String,
    /// What people call it.
    pub(super) name: String,
    /// Who made it.
    pub(super) provider: Provider,
    /// What it is called for.
    pub(super) mode: ModelMode,
    /// Tokens that it can read.
    pub(super) context_window: Option<u64>,
    /// Tokens that it can write.
    pub(super) max_output_tokens: Option<u64>,
    input: Option<i64>,
    output: Option<i64>,
    cached_input: Option<i64>,
    /// What it can do, beside what follows from its mode.
    #[serde(default)]
    pub(super) capabilities: Vec<Capability>,
}

impl WellKnownModel {
    /// What its provider asks.
    pub(super) fn prices(&self) -> TokenPrices {
        TokenPrices {
            input: self.input.map(Money::from_nano),
            output: self.output.map(Money::from_nano),
            cached_input: self.cached_input.map(Money::from_nano),
        }
    }
}

#[derive(Deserialize)]
struct File {
    as_of: NaiveDate,
    models: Vec<WellKnownModel>,
}

impl WellKnown {
    /// The table that is in the binary. A test reads it, so that it is never the empty one.
    pub(super) fn table() -> &'static Self {
        &TABLE
    }

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let file: File = serde_json::from_str(json)?;
        let models = file.models.into_iter().map(|model| (model.id.clone(), model));
        Ok(Self {
            as_of: file.as_of,
            models: models.collect(),
        })
    }

    /// The day of the table.
    pub(super) const fn as_of(&self) -> NaiveDate {
        self.as_of
    }

    /// The model that goes by this name: with or without its host (`openai/…`, `us.anthropic.…`), a version of a host, a
    /// date, or `-latest`.
    pub(super) fn find(&self, name: &str) -> Option<&WellKnownModel> {
        let name = name.to_lowercase();
        let name = name.rsplit('/').next().unwrap_or_default();
        let name = BEDROCK_MAKERS
            .iter()
            .find_map(|maker| name.split_once(maker))
            .map_or(name, |(_, rest)| rest);
        let name = without_host_version(name);
        let undated = without_date(name);
        [name, undated, undated.strip_suffix("-latest").unwrap_or(undated)]
            .into_iter()
            .chain(undated.strip_suffix("-v1").map(without_date))
            .find_map(|name| self.models.get(name))
    }
}

/// Without `@20250514` (Vertex AI) and `:0` (Bedrock). Any other `:variant` is another product, at another price.
fn without_host_version(name: &str) -> &str {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((name, version)) if is_number(version) => name,
        _ => name,
    }
}

/// Without `-20250929` or `-2024-08-06` at the end.
fn without_date(name: &str) -> &str {
    let is_date = |date: &str| {
        let lengths: Vec<usize> = date.split('-').map(str::len).collect();
        date.split('-').all(is_number) && matches!(lengths.as_slice(), [8] | [4, 2, 2])
    };
    [9, 11]
        .into_iter()
        .filter_map(|length| name.split_at_checked(name.len().checked_sub(length)?))
        .find(|(_, end)| end.strip_prefix('-').is_some_and(is_date))
        .map_or(name, |(name, _)| name)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str) -> Option<&'static str> {
        WellKnown::table().find(name).map(|model| model.id.as_str())
    }

    #[test]
    fn the_file_is_whole_and_makes_sense() {
        let table = WellKnown::read(FILE).expect("the data file");
        let lines = FILE.lines().filter(|line| line.contains("\"id\"")).count();
        assert_eq!(table.models.len(), lines, "no id stands there twice");
        assert!(table.as_of > NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day"));
        for model in table.models.values() {
            let id = &model.id;
            assert_eq!(*id, id.to_lowercase());
            assert_ne!(model.provider, Provider::Other, "{id}");
            assert!(
                !model.capabilities.contains(&Capability::Chat),
                "{id}: that follows from the mode"
            );
            assert!(
                model
                    .context_window
                    .is_none_or(|limit| (1_000..=10_000_000).contains(&limit)),
                "{id}"
            );
            assert!(
                model
                    .max_output_tokens
                    .is_none_or(|limit| (1_000..=10_000_000).contains(&limit)),
                "{id}"
            );
            for price in [model.input, model.output, model.cached_input]
                .into_iter()
                .flatten()
            {
                let cent = 10_000_000;
                assert!((cent / 10..=1_000_000 * cent).contains(&price), "{id}: {price}");
            }
        }
    }

    #[test]
    fn models_are_found_by_all_their_names() {
        for (name, id) in [
            ("gpt-4o", Some("gpt-4o")),
            ("openai/gpt-4o", Some("gpt-4o")),
            ("openrouter/openai/GPT-4o", Some("gpt-4o")),
            ("gpt-4o-2024-08-06", Some("gpt-4o")),
            ("gpt-4o-2024-05-13", Some("gpt-4o-2024-05-13")),
            ("claude-sonnet-4-5-20250929", Some("claude-sonnet-4-5")),
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                Some("claude-sonnet-4-5"),
            ),
            ("vertex_ai/claude-sonnet-4-5@20250929", Some("claude-sonnet-4-5")),
            ("mistral/mistral-large-latest", Some("mistral-large")),
            ("amazon.nova-lite-v1:0", Some("nova-lite-v1")),
            ("models/gemini-2.5-pro", Some("gemini-2.5-pro")),
            ("gpt-4o:free", None),
            ("gpt-4o-something", None),
            ("-20250929", None),
            ("", None),
            ("日本語-日本語", None),
        ] {
            assert_eq!(found(name), id, "{name}");
        }
    }
}
