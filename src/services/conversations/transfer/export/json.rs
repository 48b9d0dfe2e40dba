//! The complete export, which imports again: the objects of the API, on a line each.
//!
//! Left out is what follows from the rest: the children of messages.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::import::{OWN_FORMAT, OWN_VERSION};
use super::ExportError;
use crate::models::branch::Branch;
use crate::models::conversation::Conversation;
use crate::models::ids::{BranchId, ConversationId, MessageId};
use crate::models::message::{Message, MessageStatus, MessageUsage, Role};

/// Writes `{"format", "version", "exported_at", "conversation", "messages", "branches"}`.
#[derive(Debug)]
pub(super) struct JsonWriter {
    exported_at: DateTime<Utc>,
    first_message: bool,
}

impl JsonWriter {
    pub(super) fn new(exported_at: DateTime<Utc>) -> Self {
        Self {
            exported_at,
            first_message: true,
        }
    }

    pub(super) fn begin(&self, conversation: &Conversation) -> Result<Vec<u8>, ExportError> {
        let mut out =
            format!("{{\"format\":\"{OWN_FORMAT}\",\"version\":{OWN_VERSION},\"exported_at\":").into_bytes();
        serde_json::to_writer(&mut out, &self.exported_at)?;
        out.extend_from_slice(b",\n\"conversation\":");
        serde_json::to_writer(&mut out, conversation)?;
        out.extend_from_slice(b",\n\"messages\":[");
        Ok(out)
    }

    pub(super) fn messages(&mut self, page: &[Message]) -> Result<Vec<u8>, ExportError> {
        let mut out = Vec::new();
        for message in page {
            let separator: &[u8] = if self.first_message { b"\n" } else { b",\n" };
            self.first_message = false;
            out.extend_from_slice(separator);
            serde_json::to_writer(&mut out, &ExportedMessage::from(message))?;
        }
        Ok(out)
    }

    pub(super) fn end(&self, branches: &[Branch]) -> Result<Vec<u8>, ExportError> {
        let mut out = b"\n],\n\"branches\":".to_vec();
        serde_json::to_writer(&mut out, branches)?;
        out.extend_from_slice(b"}\n");
        Ok(out)
    }
}

/// A message as in the API, without `children` and `has_branches`.
#[derive(Serialize)]
struct ExportedMessage<'a> {
    id: MessageId,
    conversation_id: ConversationId,
    branch_id: BranchId,
    parent_id: Option<MessageId>,
    role: Role,
    content: &'a RawValue,
    model: Option<&'a str>,
    status: MessageStatus,
    finish_reason: Option<&'a str>,
    usage: Option<&'a MessageUsage>,
    latency_ms: Option<u64>,
    time_to_first_token_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
    metadata: &'a RawValue,
    edited: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl<'a> From<&'a Message> for ExportedMessage<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            id: message.id,
            conversation_id: message.conversation_id,
            branch_id: message.branch_id,
            parent_id: message.parent_id,
            role: message.role,
            content: &message.content,
            model: message.model.as_deref(),
            status: message.status,
            finish_reason: message.finish_reason.as_deref(),
            usage: message.usage.as_ref(),
            latency_ms: message.latency_ms,
            time_to_first_token_ms: message.time_to_first_token_ms,
            tool_calls: message.tool_calls.as_deref(),
            tool_call_id: message.tool_call_id.as_deref(),
            reasoning: message.reasoning.as_deref(),
            metadata: &message.metadata,
            edited: message.edited,
            created_at: message.created_at,
            updated_at: message.updated_at,
        }
    }
}
