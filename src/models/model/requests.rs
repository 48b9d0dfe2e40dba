//! What clients ask of the catalog.

use serde::Deserialize;
use utoipa::ToSchema;

/// What the list of models is sorted by. Whatever it is, equals are sorted by their ids, and what is not known comes
/// last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelSort {
    /// The name, without regard to case.
    #[default]
    Name,
    /// The provider, then the name.
    Provider,
    /// The price of a million input tokens.
    InputPrice,
    /// The price of a million output tokens.
    OutputPrice,
    /// The context window.
    ContextWindow,
}
