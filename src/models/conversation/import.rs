//! What became of an import.

use serde::Serialize;
use utoipa::ToSchema;

use crate::models::ids::ConversationId;
use crate::utils::errors::ErrorObject;

/// What became of an import.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImportReport {
    /// The copies that were made or updated, in the order of the file.
    pub conversation_ids: Vec<ConversationId>,
    /// One for each conversation of the file, in its order.
    pub results: Vec<ImportResult>,
}

/// What became of one conversation of the file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImportResult {
    /// What it is a copy of: `chatgpt:…` or `export:…` with the id there; null where that cannot be told.
    #[schema(example = "chatgpt:6745c1d3-9f1c-8004-bb6e-1c7e2f0d9a55")]
    pub source_id: Option<String>,
    /// The copy; null if there is none.
    pub id: Option<ConversationId>,
    /// What was done.
    pub status: ImportStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

/// What was done with one conversation of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportStatus {
    /// A copy was made.
    Created,
    /// The copy of an earlier import gained what it did not have.
    Updated,
    /// Nothing: `error` says why.
    Failed,
}
