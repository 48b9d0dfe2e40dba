//! What is exported as JSON is imported as an equal tree.

mod samples;

use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::value::{RawValue, to_raw_value};

use super::import::{ImportedConversation, check_syntax, read};
use crate::models::branch::Branch;
use crate::models::conversation::ConversationStatus;
use crate::models::message::{MergedFrom, Message, MessageStatus, MessageUsage, Role};
use crate::models::money::Money;

pub(super) use samples::{Sample, message, time};
use samples::{branch, branch_id, message_id, raw};

/// The one conversation of a file.
pub(super) fn import_one(file: &[u8]) -> Result<ImportedConversation, String> {
    check_syntax(file).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    let sink = |result| {
        found.push(result);
        ControlFlow::Continue(())
    };
    read(file, sink).map_err(|error| error.to_string())?;
    assert_eq!(found.len(), 1, "one conversation");
    found.remove(0).map_err(|problem| problem.message)
}

/// Names the first thing in which an import differs from what was exported.
fn difference(sample: &Sample, imported: &ImportedConversation) -> Option<String> {
    let conversation = &sample.detail.conversation;
    let id = |place: Option<usize>| place.map(|place| imported.messages[place].source_id.clone());
    let text = |raw: &Option<Box<RawValue>>| raw.as_ref().map_or("{}".to_owned(), |raw| raw.get().to_owned());
    let head = imported.source == format!("export:{}", conversation.id)
        && imported.title == conversation.title
        && imported.model == conversation.model
        && imported.system_message == conversation.system_message
        && imported.archived == (conversation.status == ConversationStatus::Archived)
        && text(&imported.metadata) == conversation.metadata.get()
        && imported.created_at == Some(conversation.created_at)
        && imported.branches[imported.active_branch].source_id == conversation.active_branch_id.to_string();
    if !head || imported.messages.len() != sample.messages.len() {
        return Some("the conversation".to_owned());
    }
    for (at, (message, found)) in sample.messages.iter().zip(&imported.messages).enumerate() {
        let content = found
            .parts
            .clone()
            .unwrap_or_else(|| to_raw_value(&found.content).expect("json"));
        let equal = found.source_id == message.id.to_string()
            && id(found.parent) == message.parent_id.map(|id| id.to_string())
            && imported.branches[found.branch].source_id == message.branch_id.to_string()
            && found.role == message.role
            && content.get() == message.content.get()
            && found.model == message.model
            && found.status == message.status
            && found.finish_reason == message.finish_reason
            && found.usage == message.usage
            && found.latency_ms == message.latency_ms
            && found.first_token_ms == message.time_to_first_token_ms
            && found.tool_calls.as_ref().map(|calls| calls.get())
                == message.tool_calls.as_ref().map(|calls| calls.get())
            && found.tool_call_id == message.tool_call_id
            && found.reasoning == message.reasoning
            && text(&found.metadata) == message.metadata.get()
            && found.edited == message.edited
            && found.created_at == Some(message.created_at)
            && found.updated_at == Some(message.updated_at);
        if !equal {
            return Some(format!("message {at}: {message:?} is {found:?}"));
        }
    }
    for (branch, found) in sample.detail.branches.iter().zip(&imported.branches) {
        let equal = found.source_id == branch.id.to_string()
            && found.name == branch.name
            && found.status == branch.status
            && found.is_main == branch.is_main
            && id(found.fork) == branch.parent_message_id.map(|id| id.to_string())
            && id(found.head) == branch.head_message_id.map(|id| id.to_string())
            && found.created_at == Some(branch.created_at);
        if !equal {
            return Some(format!("branch {branch:?} is {found:?}"));
        }
    }
    (imported.branches.len() != sample.detail.branches.len()).then(|| "the number of branches".to_owned())
}

/// A message in all its variety, from a few numbers.
fn varied(n: usize, parent: Option<usize>, seed: u32, text: &str) -> Message {
    let roles = [Role::User, Role::Assistant, Role::System, Role::Tool];
    let mut message = message(n, parent, roles[seed as usize % 4], text);
    let is = |bit: u32| seed & (1 << bit) != 0;
    if is(2) {
        message.content = raw(
            r#"[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://a.example"}}]"#,
        );
    }
    if is(3) {
        message.tool_calls = Some(raw(
            r#"[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]"#,
        ));
        message.tool_call_id = Some("c".to_owned());
    }
    if is(4) {
        message.usage = Some(MessageUsage {
            prompt_tokens: u64::from(seed),
            completion_tokens: 2,
            total_tokens: u64::from(seed) + 2,
            cost_usd: is(5).then(|| Money::from_nano(i64::from(seed) * 103)),
            estimated: is(6),
        });
    }
    if is(7) {
        message.status = MessageStatus::Cancelled;
        message.reasoning = Some(text.to_owned());
        message.latency_ms = Some(u64::from(seed));
        message.time_to_first_token_ms = Some(3);
    }
    if is(8) {
        message.metadata = raw(r#"{"z":1e2,"a":[null]}"#);
        message.edited = true;
    }
    message
}

/// Trees whose leaves, and some inner messages, are heads; each branch but the first forks somewhere on its path.
fn samples() -> impl Strategy<Value = Sample> {
    let nodes = prop::collection::vec(
        (any::<prop::sample::Index>(), any::<u32>(), any::<String>()),
        1..25,
    );
    let forks = prop::collection::vec(any::<prop::sample::Index>(), 25);
    (nodes, forks).prop_map(|(nodes, forks)| {
        let parents: Vec<Option<usize>> = nodes
            .iter()
            .enumerate()
            .map(|(n, (parent, ..))| parent.index(n + 1).checked_sub(1))
            .collect();
        let mut messages: Vec<Message> = nodes
            .iter()
            .enumerate()
            // The wire has no U+0000, so no store has.
            .map(|(n, (_, seed, text))| varied(n, parents[n], *seed, &text.replace('\0', "")))
            .collect();
        let is_head = |n: &usize| !parents.contains(&Some(*n)) || nodes[*n].1 % 5 == 0;
        let heads = (0..nodes.len()).filter(is_head);
        let branches: Vec<Branch> = heads
            .enumerate()
            .map(|(index, head)| {
                let path: Vec<usize> = std::iter::successors(Some(head), |n| parents[*n]).collect();
                let fork = (index > 0).then(|| *forks[index].get(&path));
                branch(index, fork, Some(head))
            })
            .collect();
        for (n, message) in messages.iter_mut().enumerate() {
            message.branch_id = branch_id(nodes[n].1 as usize % branches.len());
        }
        let mut sample = Sample::new(messages, branches);
        let active = nodes[0].1 as usize % sample.detail.branches.len();
        sample.detail.conversation.active_branch_id = branch_id(active);
        sample
    })
}

proptest! {
    #[test]
    fn json_comes_back_as_an_equal_tree(sample in samples(), page in 1_usize..5) {
        let imported = import_one(&sample.json(page)).expect("an import");
        prop_assert_eq!(difference(&sample, &imported), None);
    }
}

#[test]
fn an_empty_conversation_comes_back() {
    let sample = Sample::new(Vec::new(), vec![branch(0, None, None)]);
    let imported = import_one(&sample.json(1)).expect("an import");
    assert_eq!(difference(&sample, &imported), None);
}

#[test]
fn a_long_chain_comes_back() {
    let length = 50_000;
    let messages = (0..length)
        .map(|n| message(n, n.checked_sub(1), Role::User, "x"))
        .collect();
    let sample = Sample::new(messages, vec![branch(0, None, Some(length - 1))]);
    let imported = import_one(&sample.json(1_000)).expect("an import");
    assert_eq!(difference(&sample, &imported), None);
}

#[test]
fn provenance_of_a_merge_comes_back() {
    let mut sample = Sample::small();
    let (from, original) = (branch_id(1), message_id(2));
    let metadata =
        format!(r#"{{"merged_from":{{"branch_id":"{from}","message_id":"{original}"}},"mine":1}}"#);
    sample.messages[1].metadata = raw(&metadata);
    let imported = import_one(&sample.json(9)).expect("an import");
    assert_eq!(
        imported.messages[1].merged_from,
        Some(MergedFrom {
            branch_id: from,
            message_id: original,
        })
    );
    assert_eq!(difference(&sample, &imported), None);
}

#[test]
fn the_export_of_one_branch_comes_back_as_its_main_one() {
    let mut sample = Sample::small();
    let branch = sample.detail.branches[1].clone();
    sample.messages = sample.path(&branch, true);
    sample.detail.branches = vec![branch];
    let imported = import_one(&sample.json(9)).expect("an import");
    let texts: Vec<_> = imported
        .messages
        .iter()
        .map(|m| (m.content.as_str(), m.branch))
        .collect();
    assert_eq!(texts, [("=1+1?", 0), ("# Two\n```\nof them", 0)]);
    let only = &imported.branches[0];
    assert!(only.is_main && only.fork.is_none() && only.head == Some(1));
    assert_eq!(only.name, "Try 1");
}
