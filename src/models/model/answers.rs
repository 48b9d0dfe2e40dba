//! Lists of models, and what is made of them.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Capability, ModelInfo, ModelMode, ModelObject, Provider};
use crate::models::money::Money;

/// The list of models. `object` and `data` are those of OpenAI's list, so that its SDKs read it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelList {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// Always `list`.
    #[schema(example = "list")]
    pub object: &'static str,
    /// The models that pass the filters.
    pub data: Vec<ModelInfo>,
    /// What the list is a part of.
    pub metadata: CatalogMetadata,
}

/// What is known about the catalog itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CatalogMetadata {
    /// Models in the catalog.
    pub total: usize,
    /// Models in this answer.
    pub count: usize,
    /// When the model server was last read with success.
    pub refreshed_at: DateTime<Utc>,
    /// Whether the last reading failed, wholly or in part, so that older knowledge is shown.
    pub stale: bool,
    /// Patterns of names that the model server takes beside the models listed, such as `openai/*`.
    #[schema(example = json!(["openai/*"]))]
    pub wildcards: Vec<String>,
    /// The day of the table of well-known models, which says what the model server does not.
    #[schema(value_type = String, format = Date, example = "2026-11-23")]
    pub well_known_as_of: NaiveDate,
}

/// One model. The fields of OpenAI's object stand beside `data`, too, so that its SDKs read it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelAnswer {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// As in `data`.
    pub id: String,
    /// Always `model`.
    pub object: ModelObject,
    /// As in `data`.
    pub created: i64,
    /// As in `data`.
    pub owned_by: String,
    /// The model.
    pub data: ModelInfo,
}

impl From<ModelInfo> for ModelAnswer {
    fn from(model: ModelInfo) -> Self {
        Self {
            success: true,
            id: model.id.clone(),
            object: model.object,
            created: model.created,
            owned_by: model.owned_by.clone(),
            data: model,
        }
    }
}

/// Models that were searched for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SearchResults {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// Always `list`.
    #[schema(example = "list")]
    pub object: &'static str,
    /// The models, the best first.
    pub data: Vec<ModelInfo>,
    /// How many there are.
    pub metadata: SearchMetadata,
}

/// What a search was for, and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SearchMetadata {
    /// What was looked for.
    pub query: String,
    /// Models that were found.
    pub total: usize,
    /// Models in this answer.
    pub count: usize,
}

/// What a provider has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProviderSummary {
    /// The provider.
    pub provider: Provider,
    /// Its models.
    pub models: usize,
    /// Of them, those that are available.
    pub available: usize,
    /// How many of them are called for what; modes that none has are left out.
    pub modes: BTreeMap<ModelMode, usize>,
    /// How many of them can do what; capabilities that none has are left out.
    pub capabilities: BTreeMap<Capability, usize>,
    /// The prices of a million input tokens, as far as they are known.
    pub input_per_1m: Option<PriceRange>,
    /// The prices of a million output tokens, as far as they are known.
    pub output_per_1m: Option<PriceRange>,
}

/// From the cheapest to the dearest, in dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceRange {
    /// The cheapest.
    #[schema(value_type = f64, example = 0.15)]
    pub min: Money,
    /// The dearest.
    #[schema(value_type = f64, example = 2.5)]
    pub max: Money,
}

/// Models side by side.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Comparison {
    /// The models, in the order in which they were named.
    pub models: Vec<ModelInfo>,
    /// What they have, property by property.
    pub matrix: ComparisonMatrix,
    /// The id of the one whose reference chat costs least; null if no cost is known.
    pub cheapest: Option<String>,
    /// The id of the one with the largest context window; null if none is known.
    pub largest: Option<String>,
    /// The id of the one with most capabilities. Of equals, the one with the larger context window, then the first
    /// named.
    pub most_capable: String,
    /// What a chat of a certain size costs.
    pub reference_chat: ReferenceChat,
}

/// What models have: for each property, by their ids.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ComparisonMatrix {
    /// Tokens that they can read.
    pub context_window: BTreeMap<String, Option<u64>>,
    /// Tokens that they can write in one answer.
    pub max_output_tokens: BTreeMap<String, Option<u64>>,
    /// Dollars for a million input tokens.
    #[schema(value_type = BTreeMap<String, Option<f64>>)]
    pub input_per_1m: BTreeMap<String, Option<Money>>,
    /// Dollars for a million output tokens.
    #[schema(value_type = BTreeMap<String, Option<f64>>)]
    pub output_per_1m: BTreeMap<String, Option<Money>>,
    /// Dollars for a million input tokens from the cache.
    #[schema(value_type = BTreeMap<String, Option<f64>>)]
    pub cached_input_per_1m: BTreeMap<String, Option<Money>>,
    /// For each capability that one of them has: who has it.
    pub capabilities: BTreeMap<Capability, BTreeMap<String, bool>>,
}

/// What a chat of a certain size costs with each of the models.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReferenceChat {
    /// Tokens that the model reads.
    #[schema(example = 1_000)]
    pub input_tokens: u64,
    /// Tokens that it writes.
    #[schema(example = 500)]
    pub output_tokens: u64,
    /// The costs, in the order of the models.
    pub costs: Vec<ModelCost>,
}

/// What something costs with a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelCost {
    /// The model's id.
    pub model_id: String,
    /// The cost in dollars; null if a price is not known.
    #[schema(value_type = Option<f64>, example = 0.000_45)]
    pub cost_usd: Option<Money>,
}

/// What a reading of the model server has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefreshReport {
    /// Models in the catalog now.
    pub models: usize,
    /// Of them, those that were not in it before.
    pub added: usize,
    /// Those that were in it before and are no more.
    pub removed: usize,
}
