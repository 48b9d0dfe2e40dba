//! Writes a conversation as a file, piece by piece, so that memory does not grow with the conversation.
//!
//! Whoever reads the conversation drives an [`ExportWriter`] and sends on what each call returns:
//!
//! ```text
//! begin(conversation)
//!   Traversal::Tree                                      messages(page)…
//!   Traversal::NewMessages, Traversal::DistinctPaths   for each branch: branch(branch), messages(page)…
//! end(branches)
//! ```
//!
//! [`ExportFormat::traversal`] says which messages a format wants, and in what order. Of an export of one branch
//! every format wants the whole path of that branch.
//!
//! Branches are written last, so they can be read after the messages: what is deleted while the export runs then
//! leaves messages without a branch, which an import drops, and no branch without its messages. A message that
//! arrives after the last page is not in the file; an import lets its branch end before it.

mod csv;
mod file_name;
mod format;
mod json;
mod jsonl;
mod markdown;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use crate::models::branch::Branch;
use crate::models::conversation::ConversationDetail;
use crate::models::message::{ContentPart, Message, MessageContent};

pub use file_name::{content_disposition, file_name};
pub use format::{BranchBeginning, ExportFormat, Traversal};
pub use jsonl::ends_example;

/// Why a piece of an export could not be written: what is stored is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It is not JSON of the expected form.
    #[error("a stored value is no JSON of its form: {0}")]
    Json(#[from] serde_json::Error),
    /// A row of a table could not be written.
    #[error("a row could not be written: {0}")]
    Row(#[from] ::csv::Error),
}

/// A conversation being written in one of the formats.
#[derive(Debug)]
pub struct ExportWriter(Writer);

#[derive(Debug)]
enum Writer {
    Json(json::JsonWriter),
    Markdown(markdown::MarkdownWriter),
    Csv(csv::CsvWriter),
    Jsonl(jsonl::JsonlWriter),
}

impl ExportWriter {
    /// A writer that has written nothing yet.
    #[must_use]
    pub fn new(format: ExportFormat, exported_at: DateTime<Utc>) -> Self {
        Self(match format {
            ExportFormat::Json => Writer::Json(json::JsonWriter::new(exported_at)),
            ExportFormat::Markdown => Writer::Markdown(markdown::MarkdownWriter::new(exported_at)),
            ExportFormat::Csv => Writer::Csv(csv::CsvWriter::default()),
            ExportFormat::Jsonl => Writer::Jsonl(jsonl::JsonlWriter::default()),
        })
    }

    /// The beginning of the file. Call it once, first.
    ///
    /// # Errors
    /// If a stored value is no JSON.
    pub fn begin(&mut self, detail: &ConversationDetail) -> Result<Bytes, ExportError> {
        match &mut self.0 {
            Writer::Json(writer) => writer.begin(&detail.conversation),
            Writer::Markdown(writer) => Ok(writer.begin(&detail.conversation)),
            Writer::Csv(writer) => writer.begin(&detail.branches),
            Writer::Jsonl(writer) => {
                writer.begin(&detail.conversation);
                Ok(Vec::new())
            }
        }
        .map(Bytes::from)
    }

    /// The beginning of a branch, in formats that go branch by branch; nothing in the others.
    ///
    /// # Errors
    /// If a stored value is no JSON.
    pub fn branch(&mut self, branch: &Branch, beginning: BranchBeginning) -> Result<Bytes, ExportError> {
        match &mut self.0 {
            Writer::Json(_) | Writer::Csv(_) => Ok(Vec::new()),
            Writer::Markdown(writer) => Ok(writer.branch(branch, beginning)),
            Writer::Jsonl(writer) => Ok(writer.branch()),
        }
        .map(Bytes::from)
    }

    /// The next messages, in the order that the format's [`Traversal`] tells.
    ///
    /// # Errors
    /// If a stored value is no JSON.
    pub fn messages(&mut self, page: &[Message]) -> Result<Bytes, ExportError> {
        match &mut self.0 {
            Writer::Json(writer) => writer.messages(page),
            Writer::Markdown(writer) => writer.messages(page),
            Writer::Csv(writer) => writer.messages(page),
            Writer::Jsonl(writer) => writer.messages(page),
        }
        .map(Bytes::from)
    }

    /// The end of the file, with the branches that it holds: all, or the one that was asked for. Call it once,
    /// last.
    ///
    /// # Errors
    /// If a stored value is no JSON.
    pub fn end(&mut self, branches: &[Branch]) -> Result<Bytes, ExportError> {
        match &mut self.0 {
            Writer::Json(writer) => writer.end(branches),
            Writer::Markdown(_) | Writer::Csv(_) => Ok(Vec::new()),
            Writer::Jsonl(writer) => Ok(writer.end()),
        }
        .map(Bytes::from)
    }
}

/// What a message says, part by part; plain text is one part.
fn content_parts(content: &RawValue) -> Result<Vec<ContentPart>, serde_json::Error> {
    Ok(match serde_json::from_str(content.get())? {
        MessageContent::Text(text) => vec![ContentPart::Text { text }],
        MessageContent::Parts(parts) => parts,
    })
}

/// What a reader sees of an image that is in the message itself: its bytes are no text.
const INLINE_IMAGE: &str = "[image]";

/// Whether a URL is the image itself.
fn is_inline(url: &str) -> bool {
    let scheme = url.trim_start().as_bytes().get(..5);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"))
}
