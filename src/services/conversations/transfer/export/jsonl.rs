//! Examples for fine-tuning, in the form of `OpenAI`: one branch on a line, `{"messages":[…]}`.
//!
//! An example must be something that a model should imitate, so these are left out:
//! - answers that are not completed or that are empty;
//! - tool calls that are not all answered, with the results that are there (what the answer says besides stays);
//! - tool results whose call is not there;
//! - everything after the last answer of a branch; a branch without an answer gives no line;
//! - branches whose example would be another's, or its beginning (whoever drives the writer leaves them out, by
//!   [`ends_example`]).
//!
//! What follows the last answer is held back until the next answer comes. If that grows past
//! [`MAX_PENDING_BYTES`], which no conversation of people does, the example ends at the answer before it: memory
//! must not grow with the conversation.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ExportError;
use crate::models::conversation::Conversation;
use crate::models::message::{Message, MessageStatus, Role};

/// Most bytes that are held back until an answer comes.
const MAX_PENDING_BYTES: usize = 4 << 20;

/// Writes a line for each branch that has an answer.
#[derive(Debug, Default)]
pub(super) struct JsonlWriter {
    system_message: Option<String>,
    line: Line,
}

/// The line of the branch that is being written.
#[derive(Debug, Default)]
struct Line {
    begun: bool,
    /// Nothing more can be added to it.
    ended: bool,
    /// Messages since the last answer that was written.
    pending: Vec<u8>,
    /// An answer that calls tools, until all its calls are answered.
    calling: Option<Calling>,
}

/// An answer that calls tools, and the results so far.
#[derive(Debug)]
struct Calling {
    unanswered: HashSet<String>,
    /// The answer and its results, as they are written once all are there.
    exchange: Vec<u8>,
    /// The answer without its calls, if it says something: what is written if they stay unanswered.
    without_calls: Option<Vec<u8>>,
}

#[derive(Serialize)]
struct Example<'a> {
    role: Role,
    content: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
struct SystemExample<'a> {
    role: Role,
    content: &'a str,
}

impl JsonlWriter {
    pub(super) fn begin(&mut self, conversation: &Conversation) {
        self.system_message = conversation
            .system_message
            .clone()
            .filter(|text| !text.is_empty());
    }

    /// Ends the line of the branch before.
    pub(super) fn branch(&mut self) -> Vec<u8> {
        self.end()
    }

    pub(super) fn end(&mut self) -> Vec<u8> {
        let line = std::mem::take(&mut self.line);
        if line.begun { b"]}\n".to_vec() } else { Vec::new() }
    }

    pub(super) fn messages(&mut self, page: &[Message]) -> Result<Vec<u8>, ExportError> {
        let mut out = Vec::new();
        for message in page {
            if self.line.ended {
                break;
            }
            if let Some(answer) = self.line.add(message)? {
                self.write(&mut out, &answer)?;
            }
            self.line.end_if_too_long();
        }
        Ok(out)
    }

    /// Writes what was held back, and the answer that it waited for.
    fn write(&mut self, out: &mut Vec<u8>, answer: &[u8]) -> Result<(), ExportError> {
        if !self.line.begun {
            self.line.begun = true;
            out.extend_from_slice(b"{\"messages\":[");
            if let Some(content) = self.system_message.as_deref() {
                let role = Role::System;
                serde_json::to_writer(&mut *out, &SystemExample { role, content })?;
                out.push(b',');
            }
        } else {
            out.push(b',');
        }
        out.append(&mut self.line.pending);
        out.extend_from_slice(answer);
        Ok(())
    }
}

impl Line {
    /// Takes a message. Answers with an answer that can be written now, after all that is pending.
    fn add(&mut self, message: &Message) -> Result<Option<Vec<u8>>, ExportError> {
        if message.role == Role::Tool {
            self.add_result(message)?;
            return Ok(None);
        }
        self.give_up_calls();
        if message.role != Role::Assistant {
            self.hold_back(&example(message, None)?);
            return Ok(None);
        }
        if ends_example(message) {
            return example(message, None).map(Some);
        }
        let calls = message.tool_calls.as_deref();
        let unanswered = calls.map(call_ids).unwrap_or_default();
        if message.status == MessageStatus::Completed && !unanswered.is_empty() {
            let text = says_something(message).then(|| example(message, None));
            self.calling = Some(Calling {
                unanswered,
                exchange: example(message, calls)?,
                without_calls: text.transpose()?,
            });
        }
        Ok(None)
    }

    fn add_result(&mut self, message: &Message) -> Result<(), ExportError> {
        let Some(calling) = &mut self.calling else {
            return Ok(());
        };
        let id = message.tool_call_id.as_deref().unwrap_or_default();
        if !calling.unanswered.remove(id) {
            return Ok(());
        }
        calling.exchange.push(b',');
        calling.exchange.extend_from_slice(&example(message, None)?);
        if calling.unanswered.is_empty()
            && let Some(calling) = self.calling.take()
        {
            self.hold_back(&calling.exchange);
        }
        Ok(())
    }

    /// Somebody speaks before all calls are answered: they never will be.
    fn give_up_calls(&mut self) {
        if let Some(text) = self.calling.take().and_then(|calling| calling.without_calls) {
            self.hold_back(&text);
        }
    }

    fn hold_back(&mut self, example: &[u8]) {
        self.pending.extend_from_slice(example);
        self.pending.push(b',');
    }

    fn end_if_too_long(&mut self) {
        let exchange = self.calling.as_ref().map_or(0, |calling| calling.exchange.len());
        if self.pending.len() + exchange > MAX_PENDING_BYTES {
            self.pending = Vec::new();
            self.calling = None;
            self.ended = true;
        }
    }
}

/// Whether a model should learn to answer like this, so that an example can end here.
#[must_use]
pub fn ends_example(message: &Message) -> bool {
    let calls = message.tool_calls.as_deref();
    message.role == Role::Assistant
        && message.status == MessageStatus::Completed
        && says_something(message)
        && calls.is_none_or(|calls| call_ids(calls).is_empty())
}

fn says_something(message: &Message) -> bool {
    message.content.get() != "\"\""
}

/// A message as it stands in an example.
fn example(message: &Message, tool_calls: Option<&RawValue>) -> Result<Vec<u8>, ExportError> {
    Ok(serde_json::to_vec(&Example {
        role: message.role,
        content: (tool_calls.is_none() || says_something(message)).then_some(&message.content),
        tool_calls,
        tool_call_id: message
            .tool_call_id
            .as_deref()
            .filter(|_| message.role == Role::Tool),
    })?)
}

/// The ids of an answer's calls; none if there are none, or if they cannot be read.
fn call_ids(calls: &RawValue) -> HashSet<String> {
    #[derive(Deserialize)]
    struct Call {
        id: String,
    }
    let calls: Vec<Call> = serde_json::from_str(calls.get()).unwrap_or_default();
    calls.into_iter().map(|call| call.id).collect()
}
