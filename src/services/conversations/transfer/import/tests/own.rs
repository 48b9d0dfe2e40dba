//! Our own format, where it was changed by hand or written while somebody wrote.

use serde_json::{Value, json};

use super::super::ImportedConversation;
use super::super::limits::MAX_CONTENT_BYTES;
use crate::models::message::{MessageStatus, Role};
use crate::services::conversations::transfer::tests::{Sample, import_one};

/// The small sample, changed.
fn import(change: impl FnOnce(&mut Value)) -> Result<ImportedConversation, String> {
    let mut file: Value = serde_json::from_slice(&Sample::small().json(9)).expect("json");
    change(&mut file);
    import_one(file.to_string().as_bytes())
}

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    import(change).expect_err("refused")
}

/// The ids of the sample's messages.
const MESSAGES: [&str; 3] = [
    "00000000-0000-0000-0000-000000000100",
    "00000000-0000-0000-0000-000000000101",
    "00000000-0000-0000-0000-000000000102",
];

/// The id of no message.
const NOWHERE: &str = "00000000-0000-0000-0000-00000000dead";

#[test]
fn what_was_streaming_is_interrupted() {
    let found = import(|file| file["messages"][1]["status"] = json!("streaming")).expect("an import");
    assert_eq!(found.messages[1].status, MessageStatus::Interrupted);
}

#[test]
fn unknown_fields_are_ignored_and_absent_ones_have_defaults() {
    let found = import(|file| {
        file["news"] = json!([1]);
        file["messages"] = json!([{"id": file["messages"][0]["id"], "role": "user", "content": "q", "news": {}}]);
        file["branches"] = json!([{"id": file["branches"][0]["id"], "name": "Main", "head_message_id": file["messages"][0]["id"]}]);
    })
    .expect("an import");
    assert_eq!((found.messages.len(), found.branches.len()), (1, 1));
    assert!(found.branches[0].is_main);
    assert_eq!(found.messages[0].role, Role::User);
}

#[test]
fn children_may_stand_before_their_parents() {
    let found = import(|file| file["messages"].as_array_mut().expect("a list").reverse()).expect("an import");
    let parents: Vec<_> = found.messages.iter().map(|message| message.parent).collect();
    assert_eq!(parents, [None, Some(0), Some(0)]);
}

#[test]
fn messages_that_no_branch_reaches_are_dropped() {
    let found =
        import(|file| file["branches"].as_array_mut().expect("a list").truncate(1)).expect("an import");
    assert_eq!(found.messages.len(), 2);
}

#[test]
fn a_head_after_the_last_page_is_moved_back() {
    let found = import(|file| {
        file["branches"][0]["head_message_id"] = json!(NOWHERE);
        file["branches"][1]["head_message_id"] = json!(NOWHERE);
        file["messages"].as_array_mut().expect("a list").truncate(2);
    })
    .expect("an import");
    assert_eq!(found.branches[0].head, Some(1), "the last one written on it");
    assert_eq!(
        (found.branches[1].fork, found.branches[1].head),
        (Some(0), Some(0)),
        "its fork"
    );
}

#[test]
fn a_fork_beside_the_path_is_moved_onto_it() {
    for fork in [json!(NOWHERE), json!(MESSAGES[1])] {
        let found = import(|file| file["branches"][1]["parent_message_id"] = fork).expect("an import");
        assert_eq!(found.branches[1].fork, Some(0));
    }
}

#[test]
fn the_main_branch_comes_first() {
    let found = import(|file| file["branches"].as_array_mut().expect("a list").reverse()).expect("an import");
    let names: Vec<_> = found.branches.iter().map(|branch| branch.name.as_str()).collect();
    assert_eq!(names, ["Main", "Try 1"]);
    assert_eq!(found.active_branch, 0);
}

/// Puts a value at a place such as `messages/1/role`.
fn put(file: &mut Value, place: &str, value: Value) {
    let (parent, field) = place.rsplit_once('/').unwrap_or(("", place));
    let parent = if parent.is_empty() {
        file
    } else {
        file.pointer_mut(&format!("/{parent}")).expect("a place")
    };
    parent[field] = value;
}

#[test]
fn refusals_name_the_field() {
    let (first, last) = (MESSAGES[0], MESSAGES[2]);
    for (field, place, value) in [
        ("`version`", "version", json!(2)),
        ("`messages[1].role`", "messages/1/role", json!("critic")),
        ("`messages[1].status`", "messages/1/status", json!("odd")),
        ("`messages[2].id`", "messages/2/id", json!(first)),
        ("`messages[2].parent_id`", "messages/2/parent_id", json!(NOWHERE)),
        ("`messages[0].parent_id`", "messages/0/parent_id", json!(last)),
        (
            "`messages[0].content`",
            "messages/0/content",
            json!([{"type": "video"}]),
        ),
        ("`messages[0].content`", "messages/0/content", json!(7)),
        (
            "`messages[0].content[1].image_url.url`",
            "messages/0/content",
            json!([{"type": "text", "text": "q"}, {"type": "image_url", "image_url": {"url": "javascript:1"}}]),
        ),
        (
            "`messages[0].created_at`",
            "messages/0/created_at",
            json!("yesterday"),
        ),
        ("`messages[0].metadata`", "messages/0/metadata", json!("x")),
        ("`messages[1].tool_calls`", "messages/1/tool_calls", json!([{}])),
        (
            "`messages[1].usage.cost_usd`",
            "messages/1/usage/cost_usd",
            json!(-1),
        ),
        (
            "`messages[1].usage.total_tokens`",
            "messages/1/usage/total_tokens",
            json!(u64::MAX),
        ),
        (
            "`messages[1].usage.cost_usd`",
            "messages/1/usage/cost_usd",
            json!(1_001),
        ),
        (
            "`messages[0].content` has more than 16 MiB",
            "messages/0/content",
            json!("x".repeat(MAX_CONTENT_BYTES + 1)),
        ),
        (
            "`messages[0].content` has more than 16 MiB",
            "messages/0/content",
            json!([{"type": "text", "text": "x".repeat(MAX_CONTENT_BYTES)}]),
        ),
        (
            "`messages[1].reasoning`",
            "messages/1/reasoning",
            json!("x".repeat(MAX_CONTENT_BYTES + 1)),
        ),
        (
            "`messages[0].metadata.merged_from`",
            "messages/0/metadata",
            json!({"merged_from": "elsewhere"}),
        ),
        ("`branches[1].name`", "branches/1/name", json!("x".repeat(101))),
        ("`branches`", "branches", json!([])),
        ("`branches[1].name`", "branches/1/name", json!("")),
        (
            "`conversation.title`",
            "conversation/title",
            json!("x".repeat(201)),
        ),
        ("`conversation.title`", "conversation/title", json!("bell\u{7}")),
        (
            "`conversation.system_message`",
            "conversation/system_message",
            json!("x".repeat(8_001)),
        ),
        (
            "`conversation.metadata`",
            "conversation/metadata",
            json!({"a": "x".repeat(10_500)}),
        ),
    ] {
        let refusal = refusal(|file| put(file, place, value));
        assert!(refusal.starts_with(field), "{field}: {refusal}");
    }
}

#[test]
fn refuses_two_branches_that_are_one() {
    let mains = refusal(|file| file["branches"][1]["is_main"] = json!(true));
    assert!(mains.starts_with("`branches` has more than one main"), "{mains}");
    let doubled = refusal(|file| file["branches"][1]["id"] = file["branches"][0]["id"].clone());
    assert!(doubled.starts_with("`branches[1].id`"), "{doubled}");
}

#[test]
fn refuses_sums_that_are_too_large() {
    let refusal = refusal(|file| {
        let used = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 1_u64 << 40, "cost_usd": null});
        let id = |n: u64| format!("00000000-0000-0000-0001-{n:012}");
        file["messages"] = (0..9)
            .map(|n| json!({"id": id(n), "parent_id": n.checked_sub(1).map(id), "role": "user", "content": "x", "usage": used}))
            .collect();
        file["branches"] = json!([{"id": id(99), "name": "Main", "is_main": true, "head_message_id": id(8)}]);
    });
    assert!(refusal.starts_with("`messages[8].usage` makes"), "{refusal}");
}

#[test]
fn refuses_more_branches_than_a_transaction_should_write() {
    let refusal = refusal(|file| {
        let branch = |n: u64| json!({"id": format!("00000000-0000-0000-0002-{n:012}"), "name": "b", "is_main": n == 0});
        file["branches"] = (0..2_001).map(branch).collect();
    });
    assert!(refusal.contains("more than 2000 items"), "{refusal}");
}

#[test]
fn tells_a_field_that_is_missing() {
    let refusal = refusal(|file| {
        file.as_object_mut().expect("an object").remove("branches");
    });
    assert_eq!(refusal, "missing field `branches`");
}
