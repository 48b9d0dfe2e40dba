//! One message of an export.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::ImportedMessage;
use super::super::limits::{self, Bounded, Refusal};
use super::super::totals::Totals;
use crate::models::message::{ContentPart, MergedFrom, MessageContent, MessageStatus, MessageUsage, Role};
use crate::services::conversations::{IMAGE_ADDRESS, is_image_address};

/// Most content parts or tool calls of a message. This is more than may be sent in one: what is stored already must come
/// back, and a model's calls were never counted.
const MAX_PARTS: usize = 1_000;

/// Longest time that an answer took, in milliseconds: what a database counts in.
const MAX_MILLISECONDS: u64 = i64::MAX.unsigned_abs();

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    pub(super) id: Uuid,
    pub(super) branch_id: Option<Uuid>,
    pub(super) parent_id: Option<Uuid>,
    role: Role,
    #[serde(borrow)]
    content: &'a RawValue,
    model: Option<String>,
    status: Option<MessageStatus>,
    finish_reason: Option<String>,
    usage: Option<MessageUsage>,
    latency_ms: Option<u64>,
    time_to_first_token_ms: Option<u64>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    tool_call_id: Option<String>,
    reasoning: Option<String>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(default)]
    edited: bool,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
}

impl Message<'_> {
    /// The message, which is at `index` of the file, as a root of the main branch: its place in the tree is another's
    /// business.
    pub(super) fn import(&self, index: usize, totals: &mut Totals) -> Result<ImportedMessage, Refusal> {
        let field = |name: &str| format!("messages[{index}].{name}");
        self.check(&field, totals)?;
        let (content, parts) = content(&field, self.content)?;
        let metadata = limits::metadata(field("metadata"), self.metadata)?;
        Ok(ImportedMessage {
            source_id: self.id.to_string(),
            parent: None,
            branch: 0,
            role: self.role,
            content,
            parts,
            model: self.model.clone(),
            status: match self.status {
                Some(MessageStatus::Streaming) => MessageStatus::Interrupted,
                status => status.unwrap_or(MessageStatus::Completed),
            },
            finish_reason: self.finish_reason.clone(),
            usage: self.usage.clone(),
            latency_ms: self.latency_ms,
            first_token_ms: self.time_to_first_token_ms,
            tool_calls: self
                .tool_calls
                .map(|calls| tool_calls(&field, calls))
                .transpose()?,
            tool_call_id: self.tool_call_id.clone(),
            reasoning: self.reasoning.clone(),
            merged_from: match &metadata {
                Some(metadata) => MergedFrom::read(metadata)
                    .map_err(|_| Refusal::field(field("metadata.merged_from"), "does not name a message"))?,
                None => None,
            },
            metadata,
            edited: self.edited,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }

    fn check(&self, field: &impl Fn(&str) -> String, totals: &mut Totals) -> Result<(), Refusal> {
        if let Some(model) = &self.model {
            limits::check_model(field("model"), model)?;
        }
        if let Some(reason) = &self.finish_reason {
            limits::check_model(field("finish_reason"), reason)?;
        }
        if let Some(id) = &self.tool_call_id {
            limits::check_id(field("tool_call_id"), id)?;
        }
        if let Some(reasoning) = &self.reasoning {
            limits::check_bytes(field("reasoning"), reasoning)?;
        }
        if let Some(usage) = &self.usage {
            totals.add(field("usage"), usage)?;
        }
        for (name, time) in [
            ("latency_ms", self.latency_ms),
            ("time_to_first_token_ms", self.time_to_first_token_ms),
        ] {
            if time.is_some_and(|time| time > MAX_MILLISECONDS) {
                return Err(Refusal::field(field(name), "is too large"));
            }
        }
        limits::check_time(field("created_at"), self.created_at)?;
        limits::check_time(field("updated_at"), self.updated_at)
    }
}

/// The text, and the parts where there is more than text.
fn content(
    field: &impl Fn(&str) -> String,
    raw: &RawValue,
) -> Result<(String, Option<Box<RawValue>>), Refusal> {
    let refuse = |what: &str| Refusal::field(field("content"), what);
    if raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get()).map_err(|_| refuse("must be text"))?;
        limits::check_bytes(field("content"), &text)?;
        return Ok((text, None));
    }
    limits::check_unread(field("content"), raw)?;
    let parts: Bounded<ContentPart, MAX_PARTS> = serde_json::from_str(raw.get())
        .map_err(|_| refuse("must be text or at most 1000 content parts (`text`, `image_url`)"))?;
    for (n, part) in parts.0.iter().enumerate() {
        if let ContentPart::ImageUrl { image_url } = part
            && !is_image_address(image_url)
        {
            return Err(Refusal::field(
                field(&format!("content[{n}].image_url.url")),
                IMAGE_ADDRESS,
            ));
        }
    }
    Ok((MessageContent::Parts(parts.0).text(), Some(raw.to_owned())))
}

/// A tool call, as far as it must be understood: every call has an id.
#[derive(Deserialize)]
struct ToolCall {
    #[expect(
        dead_code,
        reason = "only whether it is there matters; the call is kept as it is"
    )]
    id: String,
}

fn tool_calls(field: &impl Fn(&str) -> String, raw: &RawValue) -> Result<Box<RawValue>, Refusal> {
    limits::check_unread(field("tool_calls"), raw)?;
    serde_json::from_str::<Bounded<ToolCall, MAX_PARTS>>(raw.get()).map_err(|_| {
        Refusal::field(
            field("tool_calls"),
            "must be a list of at most 1000 calls with ids",
        )
    })?;
    Ok(raw.to_owned())
}
