//! A document to read: the title, a section for each message, and for each branch but the first a chapter that
//! says where it forks, or where it ends if all of it is in the chapters before.
//!
//! Messages are Markdown themselves and are written as they are, so that they look as they were meant, except
//! where that would break the document: see [`block`].

mod block;

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use super::{BranchBeginning, ExportError, INLINE_IMAGE, content_parts, is_inline};
use crate::models::branch::Branch;
use crate::models::conversation::Conversation;
use crate::models::message::{ContentPart, Message, MessageStatus, Role};

use block::{contained, fenced, inline, quoted};

/// Writes the document.
#[derive(Debug)]
pub(super) struct MarkdownWriter {
    exported_at: DateTime<Utc>,
    first_branch: bool,
}

impl MarkdownWriter {
    pub(super) fn new(exported_at: DateTime<Utc>) -> Self {
        Self {
            exported_at,
            first_branch: true,
        }
    }

    pub(super) fn begin(&self, conversation: &Conversation) -> Vec<u8> {
        let title = conversation.title.as_deref().unwrap_or("Untitled conversation");
        let mut out = format!("# {}\n\n", inline(title));
        if let Some(model) = &conversation.model {
            push(&mut out, format_args!("Model: {} · ", inline(model)));
        }
        push(
            &mut out,
            format_args!(
                "Started: {} · Exported: {}\n",
                time(conversation.created_at),
                time(self.exported_at)
            ),
        );
        if let Some(text) = conversation
            .system_message
            .as_deref()
            .filter(|text| !text.is_empty())
        {
            push(&mut out, format_args!("\n{}\n", quoted(text)));
        }
        out.into_bytes()
    }

    /// The first branch needs no chapter of its own.
    pub(super) fn branch(&mut self, branch: &Branch, beginning: BranchBeginning) -> Vec<u8> {
        if std::mem::take(&mut self.first_branch) {
            return Vec::new();
        }
        let mut out = format!("\n# Branch: {}\n\n", inline(&branch.name));
        match beginning {
            BranchBeginning::After(message) => {
                push(&mut out, format_args!("*Forks after message {message}.*\n"));
            }
            BranchBeginning::AllShown(message) => {
                push(
                    &mut out,
                    format_args!("*Ends at message {message}, which is above.*\n"),
                );
            }
            BranchBeginning::Root => out.push_str("*Begins anew.*\n"),
        }
        out.into_bytes()
    }

    pub(super) fn messages(&self, page: &[Message]) -> Result<Vec<u8>, ExportError> {
        let mut out = String::new();
        for message in page {
            push_message(&mut out, message)?;
        }
        Ok(out.into_bytes())
    }
}

fn push_message(out: &mut String, message: &Message) -> Result<(), ExportError> {
    push(out, format_args!("\n## {}", speaker(message.role)));
    if let Some(model) = &message.model {
        push(out, format_args!(" ({})", inline(model)));
    }
    push(
        out,
        format_args!("\n\n*{} · message {}", time(message.created_at), message.id),
    );
    if message.status != MessageStatus::Completed {
        push(out, format_args!(" · {}", message.status.as_str()));
    }
    out.push_str("*\n");
    if let Some(reasoning) = message.reasoning.as_deref().filter(|text| !text.is_empty()) {
        push(
            out,
            format_args!(
                "\n<details>\n<summary>Reasoning</summary>\n\n{}\n\n</details>\n",
                quoted(reasoning)
            ),
        );
    }
    for part in content_parts(&message.content)? {
        let block = match part {
            ContentPart::Text { text } if text.trim().is_empty() => continue,
            ContentPart::Text { text } => contained(&text).into_owned(),
            ContentPart::ImageUrl { image_url } => image(&image_url.url),
        };
        push(out, format_args!("\n{block}\n"));
    }
    if let Some(calls) = &message.tool_calls {
        push(out, format_args!("\n{}\n", fenced("json", calls.get())));
    }
    Ok(())
}

const fn speaker(role: Role) -> &'static str {
    match role {
        Role::User => "User",
        Role::Assistant => "Assistant",
        Role::System => "System",
        Role::Tool => "Tool",
    }
}

/// An image, by an address that cannot end the link early.
fn image(url: &str) -> String {
    if is_inline(url) {
        return INLINE_IMAGE.to_owned();
    }
    let mut link = String::from("![image](");
    for c in url.chars() {
        if c.is_whitespace() || c.is_control() || "()<>\\".contains(c) {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                push(&mut link, format_args!("%{byte:02X}"));
            }
        } else {
            link.push(c);
        }
    }
    link.push(')');
    link
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = out.write_fmt(text);
}
