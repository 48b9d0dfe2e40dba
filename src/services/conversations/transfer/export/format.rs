//! The formats of an export, and what each wants to be given.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::models::ids::MessageId;

/// A format that a conversation can be exported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "json")]
pub enum ExportFormat {
    /// Everything; imports again to an equal tree.
    #[default]
    Json,
    /// A document to read.
    Markdown,
    /// A table, one message on a row.
    Csv,
    /// Examples for fine-tuning, as `OpenAI` takes them: one branch on a line.
    Jsonl,
}

/// Which messages a format wants, and in what order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traversal {
    /// Every message once, parents before children; branches are not begun.
    Tree,
    /// The main branch whole, then of every other branch the messages that no branch before it has shown.
    NewMessages,
    /// Whole paths, root to head, of those branches whose example is no other's beginning.
    DistinctPaths,
}

/// Where the messages begin that are written of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchBeginning {
    /// At the root of its path.
    Root,
    /// After this message, which was written with an earlier branch.
    After(MessageId),
    /// Nowhere: its path ends at this message, which was written with an earlier branch.
    AllShown(MessageId),
}

impl ExportFormat {
    /// Which messages it wants, and in what order.
    #[must_use]
    pub const fn traversal(self) -> Traversal {
        match self {
            Self::Json | Self::Csv => Traversal::Tree,
            Self::Markdown => Traversal::NewMessages,
            Self::Jsonl => Traversal::DistinctPaths,
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/jsonl",
        }
    }

    /// The end of a file's name, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Markdown => "md",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}
