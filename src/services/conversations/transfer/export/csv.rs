//! A table after RFC 4180, one message on a row.
//!
//! Spreadsheets run what looks like a formula, and a message is anybody's text. Text that begins like one gets an
//! apostrophe in front, as OWASP advises; whoever reads the file with a program takes it away again.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use csv::{Terminator, Writer, WriterBuilder};

use super::{ExportError, INLINE_IMAGE, content_parts, is_inline};
use crate::models::branch::Branch;
use crate::models::ids::BranchId;
use crate::models::message::{ContentPart, Message};

const COLUMNS: [&str; 21] = [
    "id",
    "parent_id",
    "branch_id",
    "branch",
    "role",
    "content",
    "model",
    "status",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cost_usd",
    "latency_ms",
    "time_to_first_token_ms",
    "tool_calls",
    "tool_call_id",
    "reasoning",
    "edited",
    "created_at",
    "updated_at",
];

/// Writes the header, then a row for each message.
#[derive(Debug, Default)]
pub(super) struct CsvWriter {
    branch_names: HashMap<BranchId, String>,
}

impl CsvWriter {
    pub(super) fn begin(&mut self, branches: &[Branch]) -> Result<Vec<u8>, ExportError> {
        let names = branches.iter().map(|branch| (branch.id, branch.name.clone()));
        self.branch_names = names.collect();
        write_rows(|rows| Ok(rows.write_record(COLUMNS)?))
    }

    pub(super) fn messages(&self, page: &[Message]) -> Result<Vec<u8>, ExportError> {
        write_rows(|rows| page.iter().try_for_each(|message| self.write_row(rows, message)))
    }

    fn write_row(&self, rows: &mut Writer<&mut Vec<u8>>, message: &Message) -> Result<(), ExportError> {
        let usage = message.usage.as_ref();
        let content = plain_content(message)?;
        let cells: [Cow<'_, str>; COLUMNS.len()] = [
            message.id.to_string().into(),
            number(message.parent_id),
            message.branch_id.to_string().into(),
            text(self.branch_names.get(&message.branch_id).map(String::as_str)),
            message.role.as_str().into(),
            text(Some(&content)),
            text(message.model.as_deref()),
            message.status.as_str().into(),
            text(message.finish_reason.as_deref()),
            number(usage.map(|usage| usage.prompt_tokens)),
            number(usage.map(|usage| usage.completion_tokens)),
            number(usage.map(|usage| usage.total_tokens)),
            number(usage.and_then(|usage| usage.cost_usd)),
            number(message.latency_ms),
            number(message.time_to_first_token_ms),
            text(message.tool_calls.as_ref().map(|calls| calls.get())),
            text(message.tool_call_id.as_deref()),
            text(message.reasoning.as_deref()),
            message.edited.to_string().into(),
            time(message.created_at),
            time(message.updated_at),
        ];
        Ok(rows.write_record(cells.iter().map(|cell| cell.as_bytes()))?)
    }
}

/// The bytes of what `write` writes.
fn write_rows(
    write: impl FnOnce(&mut Writer<&mut Vec<u8>>) -> Result<(), ExportError>,
) -> Result<Vec<u8>, ExportError> {
    let mut out = Vec::new();
    {
        let mut rows = WriterBuilder::new()
            .terminator(Terminator::CRLF)
            .from_writer(&mut out);
        write(&mut rows)?;
        rows.flush().map_err(::csv::Error::from)?;
    }
    Ok(out)
}

/// A value of ours, which no spreadsheet takes for a formula; nothing for none.
fn number<T: ToString>(value: Option<T>) -> Cow<'static, str> {
    value.map_or(Cow::Borrowed(""), |value| value.to_string().into())
}

/// Text of anybody's.
fn text(text: Option<&str>) -> Cow<'_, str> {
    let text = text.unwrap_or_default();
    let formula = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if text.starts_with(formula) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

fn time(time: DateTime<Utc>) -> Cow<'static, str> {
    time.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

/// The text, with the addresses of images on lines of their own.
fn plain_content(message: &Message) -> Result<String, ExportError> {
    let lines: Vec<String> = content_parts(&message.content)?
        .into_iter()
        .map(|part| match part {
            ContentPart::Text { text } => text,
            ContentPart::ImageUrl { image_url } if is_inline(&image_url.url) => INLINE_IMAGE.to_owned(),
            ContentPart::ImageUrl { image_url } => image_url.url,
        })
        .collect();
    Ok(lines.join("\n"))
}
