//! What the query of the list may hold.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use crate::extract::Query;
use crate::models::common::SortOrder;
use crate::models::model::{Capability, ModelMode, ModelSort, Provider};
use crate::models::money::Money;
use crate::services::catalog::{ModelFilter, ModelOrder};
use crate::utils::errors::ApiError;

/// Which models are wanted, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Those that this provider made.
    #[param(inline)]
    provider: Option<Provider>,
    /// Those that are called for this.
    #[param(inline)]
    mode: Option<ModelMode>,
    /// Those whose answers can be streamed, or those that cannot.
    supports_streaming: Option<bool>,
    /// Those that can call functions, or those that cannot.
    supports_functions: Option<bool>,
    /// Those that see images, or those that do not.
    supports_vision: Option<bool>,
    /// Those that are known to read at least so many tokens.
    #[param(example = 100_000)]
    min_context_window: Option<u64>,
    /// Those that are known to write at least so many tokens.
    min_output_tokens: Option<u64>,
    /// Those of whose input a million tokens are known to cost at most so many dollars.
    #[serde(default, deserialize_with = "dollars")]
    #[param(value_type = Option<f64>, minimum = 0, example = 2.5)]
    max_input_price: Option<Money>,
    /// Those of whose output a million tokens are known to cost at most so many dollars.
    #[serde(default, deserialize_with = "dollars")]
    #[param(value_type = Option<f64>, minimum = 0)]
    max_output_price: Option<Money>,
    /// Whether those are left out that the model server says do not work.
    #[serde(default = "yes")]
    #[param(default = true)]
    available_only: bool,
    /// What it is sorted by; equals by their ids. What is not known comes last.
    #[serde(default)]
    #[param(inline)]
    sort_by: ModelSort,
    /// Which end comes first. Absent: `asc`.
    #[param(inline)]
    sort_order: Option<SortOrder>,
}

impl ListQuery {
    /// As the catalog takes it.
    pub(super) fn into_parts(self, Capabilities(capabilities): Capabilities) -> (ModelFilter, ModelOrder) {
        let filter = ModelFilter {
            provider: self.provider,
            mode: self.mode,
            capabilities,
            supports_streaming: self.supports_streaming,
            supports_functions: self.supports_functions,
            supports_vision: self.supports_vision,
            min_context_window: self.min_context_window,
            min_output_tokens: self.min_output_tokens,
            max_input_price: self.max_input_price,
            max_output_price: self.max_output_price,
            available_only: self.available_only,
        };
        let order = ModelOrder {
            by: self.sort_by,
            order: self.sort_order.unwrap_or(SortOrder::Asc),
        };
        (filter, order)
    }
}

const fn yes() -> bool {
    true
}

fn dollars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let amount = Money::parse_dollars(&text);
    let amount = amount.ok_or_else(|| serde::de::Error::custom("not an amount of dollars, 0 or more"))?;
    Ok(Some(amount))
}

/// All values of `capability`. It may stand in a query several times, which no field of a struct may.
#[derive(Debug)]
pub(super) struct Capabilities(Vec<Capability>);

impl<S: Sync> FromRequestParts<S> for Capabilities {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await?;
        let given = pairs.iter().filter(|(name, _)| name == "capability");
        let names = given.flat_map(|(_, value)| value.split(','));
        names.map(capability).collect::<Result<_, _>>().map(Self)
    }
}

fn capability(name: &str) -> Result<Capability, ApiError> {
    let known = Capability::ALL
        .iter()
        .find(|capability| capability.as_str() == name);
    known.copied().ok_or_else(|| {
        let names: Vec<_> = Capability::ALL
            .iter()
            .map(|capability| capability.as_str())
            .collect();
        ApiError::invalid_field("capability", format!("must be one of {}", names.join(", ")))
    })
}
