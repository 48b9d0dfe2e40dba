//! Reads conversations from a file: our own JSON export, or `ChatGPT`'s `conversations.json`.
//!
//! The file is one conversation or an array of them, also of both kinds. It is read in two passes, so that a
//! malformed file changes nothing: [`check_syntax`] over the whole, then [`read`], which hands out one
//! conversation at a time. Both work in memory that does not grow with the file, and block on the reader: run
//! them on a blocking thread.
//!
//! # What is refused and what is repaired
//! What is wrong with one conversation is an [`ImportProblem`] and leaves the others alone.
//! - Refused: cycles, doubled ids, fields of a wrong type or out of bounds, unknown roles and states, two main
//!   branches, a path with a hole in it.
//! - Repaired: U+0000 and halves of surrogate pairs become U+FFFD; what can come about in an export that was
//!   written while people wrote into the conversation (see `own`); what the many ages of `ChatGPT`'s format
//!   leave out (see `chatgpt`).

mod chatgpt;
mod elements;
mod imported;
mod limits;
mod nesting;
mod own;
mod totals;
mod tree;

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::ops::ControlFlow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::utils::json::replace_unstorable_escapes;

pub use imported::{ImportedBranch, ImportedConversation, ImportedMessage};
pub use limits::{MAX_BRANCHES, MAX_CONTENT_BYTES, MAX_CONVERSATION_BYTES, MAX_MESSAGES};
pub use totals::MAX_TOTAL;
pub use tree::{Ancestry, Paths};

use elements::{Element, Elements, skip_byte_order_mark};
use limits::{Refusal, lenient};
use nesting::NestingGuard;

/// What `format` says in our own exports.
pub const OWN_FORMAT: &str = "ai-chat-orchestrator";

/// The version of our own exports that is written and read.
pub const OWN_VERSION: u64 = 1;

/// Why a file cannot be imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is no JSON.
    #[error("the file is not valid JSON: {message} at line {line} column {column}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1 (0 before the first character).
        column: usize,
    },
    /// It is JSON, but neither a conversation nor a list of them.
    #[error("the file must hold a conversation, or an array of conversations")]
    NotConversations,
    /// It cannot be read, or is nested beyond all measure.
    #[error("the file cannot be read: {0}")]
    Read(#[from] io::Error),
}

impl From<serde_json::Error> for ImportError {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() {
            return Self::Read(error.into());
        }
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        Self::Syntax {
            message: text.strip_suffix(&place).unwrap_or(&text).to_owned(),
            line,
            column,
        }
    }
}

/// Why one conversation of a file is not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportProblem {
    /// Which one of the file, from 0.
    pub index: usize,
    /// Its [`source`](ImportedConversation::source), where that could be told.
    pub source: Option<String>,
    /// What is wrong, for the person who imports; names the field.
    pub message: String,
}

/// What was found in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportSummary {
    /// Conversations that were handed out.
    pub conversations: usize,
    /// Conversations that were refused.
    pub problems: usize,
}

/// Whether the whole file is JSON. Nothing is built of it.
///
/// # Errors
/// Where it is malformed, or why it cannot be read.
pub fn check_syntax<R: Read>(reader: R) -> Result<(), ImportError> {
    let mut reader = io::BufReader::with_capacity(elements::BUFFER_BYTES, NestingGuard::new(reader));
    skip_byte_order_mark(&mut reader)?;
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    IgnoredAny::deserialize(&mut deserializer)?;
    Ok(deserializer.end()?)
}

/// Hands the conversations of a file to `sink`, one by one, until it breaks off or the file ends. The file
/// should have passed [`check_syntax`].
///
/// # Errors
/// If the file cannot be read, ends too early, or holds something else. What was handed out before, was read
/// well.
pub fn read<R: Read>(
    reader: R,
    mut sink: impl FnMut(Result<ImportedConversation, ImportProblem>) -> ControlFlow<()>,
) -> Result<ImportSummary, ImportError> {
    let mut elements = Elements::new(reader)?;
    let mut summary = ImportSummary::default();
    for index in 0.. {
        let Some(element) = elements.next()? else { break };
        let result = match element {
            Element::Json(json) => conversation(index, &json),
            Element::TooLarge => Err(ImportProblem {
                index,
                source: None,
                message: format!("has more than {} MiB", MAX_CONVERSATION_BYTES >> 20),
            }),
        };
        match &result {
            Ok(_) => summary.conversations += 1,
            Err(_) => summary.problems += 1,
        }
        if sink(result).is_break() {
            break;
        }
    }
    Ok(summary)
}

/// The fields that tell the formats apart, and whose conversation it is.
#[derive(Deserialize)]
struct Probe {
    #[serde(default, deserialize_with = "lenient")]
    format: Option<String>,
    mapping: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "lenient")]
    conversation: Option<OwnProbe>,
    #[serde(default, deserialize_with = "lenient")]
    conversation_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct OwnProbe {
    id: Uuid,
}

impl Probe {
    fn is_own(&self) -> bool {
        self.format.as_deref() == Some(OWN_FORMAT)
    }

    fn source(&self) -> Option<String> {
        let source = if self.is_own() {
            own::source(self.conversation.as_ref()?.id)
        } else {
            self.mapping?;
            chatgpt::source(self.conversation_id.as_deref().or(self.id.as_deref())?)
        };
        limits::check_source(&source).ok().map(|()| source)
    }
}

/// One conversation from its JSON.
fn conversation(index: usize, json: &[u8]) -> Result<ImportedConversation, ImportProblem> {
    let problem = |source: Option<String>, message: String| ImportProblem {
        index,
        source,
        message,
    };
    let json = replace_unstorable_escapes(json);
    let text = std::str::from_utf8(&json).map_err(|_| problem(None, "it is not UTF-8".to_owned()))?;
    if !text.trim_start().starts_with('{') {
        return Err(problem(None, "it is not an object".to_owned()));
    }
    let probe: Probe = limits::parse(text).map_err(|refusal| problem(None, refusal.to_string()))?;
    let source = probe.source();
    parse(&probe, text).map_err(|refusal| problem(source, refusal.to_string()))
}

fn parse(probe: &Probe, text: &str) -> Result<ImportedConversation, Refusal> {
    if probe.is_own() {
        own::conversation(text)
    } else if probe.mapping.is_some() {
        chatgpt::conversation(text)
    } else {
        Err(Refusal::of(
            "it is neither an export of this service (`format`) nor of ChatGPT (`mapping`)",
        ))
    }
}
