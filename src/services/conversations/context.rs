//! From the path of a branch to the messages that a model is sent.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::value::RawValue;

use super::ToolResult;
use crate::models::message::Role;
use crate::services::billing::InputSize;

/// A stored message on the path.
#[derive(Debug, Clone)]
pub struct ContextMessage {
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
    /// The content parts, where there is more than text.
    pub parts: Option<Box<RawValue>>,
    /// Tools that the model wanted called: an array of calls.
    pub tool_calls: Option<Box<RawValue>>,
    /// The call that it answers.
    pub tool_call_id: Option<String>,
}

/// A message in the form that models take.
#[derive(Debug, Serialize)]
struct ModelMessage<'a> {
    role: &'static str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(String),
    Parts(Vec<&'a RawValue>),
    OwnedParts(Vec<Box<RawValue>>),
    Nothing(()),
}

/// The newest `keep` messages of the context after the system message, as the JSON array for a model.
///
/// Left out are answers that came to nothing, tool calls that their results do not follow at once (nobody answered them,
/// or a merge put something in between), and tool results whose call is not in what is kept. Adjacent messages of one
/// role are joined.
///
/// # Errors
/// If a stored part is no JSON.
pub fn model_messages(
    system: Option<&str>,
    context: &[ContextMessage],
    keep: usize,
) -> Result<Box<RawValue>, serde_json::Error> {
    let kept = &context[context.len().saturating_sub(keep)..];
    let mut open_calls: HashSet<String> = HashSet::new();
    let mut messages: Vec<ModelMessage<'_>> = Vec::with_capacity(kept.len() + 1);
    if let Some(text) = system.filter(|text| !text.is_empty()) {
        messages.push(plain(Role::System, Content::Text(text.to_owned())));
    }
    for (n, message) in kept.iter().enumerate() {
        match message.role {
            Role::Tool => {
                // A result is only understood after its call; the call may be cut off or left out.
                let Some(id) = message
                    .tool_call_id
                    .as_deref()
                    .filter(|id| open_calls.remove(*id))
                else {
                    continue;
                };
                messages.push(ModelMessage {
                    tool_call_id: Some(id),
                    ..plain(Role::Tool, Content::Text(message.content.clone()))
                });
            }
            Role::Assistant => {
                let calls = message
                    .tool_calls
                    .as_deref()
                    .filter(|calls| all_answered(calls, &kept[n + 1..]));
                open_calls = calls.map(call_ids).unwrap_or_default().into_iter().collect();
                if message.content.is_empty() && calls.is_none() {
                    continue;
                }
                let content = if message.content.is_empty() {
                    Content::Nothing(())
                } else {
                    Content::Text(message.content.clone())
                };
                push_joined(
                    &mut messages,
                    ModelMessage {
                        tool_calls: calls,
                        ..plain(Role::Assistant, content)
                    },
                )?;
            }
            role @ (Role::User | Role::System) => {
                let content = match message.parts.as_deref() {
                    Some(parts) => Content::Parts(serde_json::from_str(parts.get())?),
                    None => Content::Text(message.content.clone()),
                };
                push_joined(&mut messages, plain(role, content))?;
            }
        }
    }
    serde_json::value::to_raw_value(&messages)
}

/// How much the messages of a context are, all of them.
#[must_use]
pub fn context_size(context: &[ContextMessage]) -> InputSize {
    let mut size = InputSize::default();
    for message in context {
        size.add_message(&message.content, message.parts.as_deref());
        if let Some(calls) = &message.tool_calls {
            size.add_text(calls.get());
        }
    }
    size
}

fn plain(role: Role, content: Content<'_>) -> ModelMessage<'_> {
    ModelMessage {
        role: role.as_str(),
        content,
        tool_calls: None,
        tool_call_id: None,
    }
}

/// Appends a message, or joins it to the last one of the same role. What calls tools stays on its own.
fn push_joined<'a>(
    messages: &mut Vec<ModelMessage<'a>>,
    next: ModelMessage<'a>,
) -> Result<(), serde_json::Error> {
    match messages.last_mut() {
        Some(last) if last.role == next.role && last.tool_calls.is_none() && next.tool_calls.is_none() => {
            let before = std::mem::replace(&mut last.content, Content::Nothing(()));
            last.content = join(before, next.content)?;
        }
        _ => messages.push(next),
    }
    Ok(())
}

fn join<'a>(before: Content<'a>, after: Content<'a>) -> Result<Content<'a>, serde_json::Error> {
    if let (Content::Text(before), Content::Text(after)) = (&before, &after) {
        return Ok(Content::Text(format!("{before}\n\n{after}")));
    }
    let mut parts = into_parts(before)?;
    parts.extend(into_parts(after)?);
    Ok(Content::OwnedParts(parts))
}

fn into_parts(content: Content<'_>) -> Result<Vec<Box<RawValue>>, serde_json::Error> {
    Ok(match content {
        Content::Text(text) => {
            vec![serde_json::value::to_raw_value(
                &serde_json::json!({"type": "text", "text": text}),
            )?]
        }
        Content::Parts(parts) => parts.into_iter().map(ToOwned::to_owned).collect(),
        Content::OwnedParts(parts) => parts,
        Content::Nothing(()) => Vec::new(),
    })
}

/// The ids of stored tool calls. Calls without an id cannot be answered and count as none.
fn call_ids(calls: &RawValue) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Call {
        id: Option<String>,
    }
    serde_json::from_str::<Vec<Call>>(calls.get())
        .unwrap_or_default()
        .into_iter()
        .filter_map(|call| call.id)
        .collect()
}

/// What is wrong with these results as the answer to these calls, to be read after the name of the field; `None` if they
/// answer each exactly once.
#[must_use]
pub fn unanswered_calls(calls: &RawValue, results: &[ToolResult]) -> Option<String> {
    let mut open: HashSet<String> = call_ids(calls).into_iter().collect();
    for result in results {
        if !open.remove(&result.tool_call_id) {
            return Some(format!(
                "name `{}`, which is not an open tool call of the parent message",
                result.tool_call_id
            ));
        }
    }
    (!open.is_empty()).then(|| "must answer every tool call of the parent message".to_owned())
}

/// Whether each call has its result among those that follow at once: models refuse a call without.
fn all_answered(calls: &RawValue, after: &[ContextMessage]) -> bool {
    let results = after.iter().take_while(|message| message.role == Role::Tool);
    let answered: HashSet<&str> = results
        .filter_map(|message| message.tool_call_id.as_deref())
        .collect();
    let ids = call_ids(calls);
    !ids.is_empty() && ids.iter().all(|id| answered.contains(id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, content: &str) -> ContextMessage {
        ContextMessage {
            role,
            content: content.to_owned(),
            parts: None,
            tool_calls: None,
            tool_call_id: None,
        }
    }

    fn raw(json: &str) -> Option<Box<RawValue>> {
        RawValue::from_string(json.to_owned()).ok()
    }

    fn sent(context: &[ContextMessage]) -> String {
        model_messages(None, context, 100).expect("json").get().to_owned()
    }

    #[test]
    fn joins_neighbours_of_one_role() {
        let context = [
            message(Role::User, "a"),
            message(Role::User, "b"),
            message(Role::Assistant, "c"),
        ];
        assert_eq!(
            sent(&context),
            r#"[{"role":"user","content":"a\n\nb"},{"role":"assistant","content":"c"}]"#
        );
    }

    #[test]
    fn joins_text_and_images() {
        let mut image = message(Role::User, "");
        image.parts = raw(r#"[{"type":"image_url","image_url":{"url":"data:x"}}]"#);
        assert_eq!(
            sent(&[message(Role::User, "a"), image]),
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:x"}}]}]"#
        );
    }

    #[test]
    fn leaves_out_what_came_to_nothing() {
        let context = [
            message(Role::User, "a"),
            message(Role::Assistant, ""),
            message(Role::User, "b"),
        ];
        assert_eq!(sent(&context), r#"[{"role":"user","content":"a\n\nb"}]"#);
    }

    #[test]
    fn leaves_out_dangling_tool_calls() {
        let mut calling = message(Role::Assistant, "let me look");
        calling.tool_calls =
            raw(r#"[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]"#);
        let mut result = message(Role::Tool, "42");
        result.tool_call_id = Some("t1".to_owned());
        let whole = [message(Role::User, "a"), calling.clone(), result.clone()];
        assert!(
            sent(&whole).contains(r#""tool_calls":[{"id":"t1""#),
            "{}",
            sent(&whole)
        );
        assert!(sent(&whole).contains(r#"{"role":"tool","content":"42","tool_call_id":"t1"}"#));
        let dangling = [
            message(Role::User, "a"),
            calling,
            message(Role::User, "never mind"),
        ];
        assert!(!sent(&dangling).contains("tool_calls"));
        let [user, calling, _] = &dangling;
        let parted = [user.clone(), calling.clone(), user.clone(), result.clone()];
        assert_eq!(
            sent(&parted),
            r#"[{"role":"user","content":"a"},{"role":"assistant","content":"let me look"},{"role":"user","content":"a"}]"#
        );
        assert_eq!(
            sent(&[result, message(Role::User, "b")]),
            r#"[{"role":"user","content":"b"}]"#
        );
    }

    #[test]
    fn keeps_the_newest_and_the_system_message() {
        let context = [
            message(Role::User, "old"),
            message(Role::Assistant, "older"),
            message(Role::User, "new"),
        ];
        let json = model_messages(Some("be brief"), &context, 1).expect("json");
        assert_eq!(
            json.get(),
            r#"[{"role":"system","content":"be brief"},{"role":"user","content":"new"}]"#
        );
    }
}
