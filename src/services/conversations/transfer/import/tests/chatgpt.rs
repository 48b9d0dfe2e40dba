//! `ChatGPT`'s format, in all the shapes that it has.

use serde_json::{Value, json};

use super::super::ImportedConversation;
use super::super::limits::MAX_CONTENT_BYTES;
use crate::models::message::{MessageStatus, Role};
use crate::services::conversations::transfer::tests::import_one;

fn import(mapping: &Value, more: &Value) -> Result<ImportedConversation, String> {
    let mut file = json!({"id": "c-1", "mapping": mapping});
    for (key, value) in more.as_object().expect("an object") {
        file[key] = value.clone();
    }
    import_one(file.to_string().as_bytes())
}

fn imported(mapping: &Value) -> ImportedConversation {
    import(mapping, &json!({})).expect("an import")
}

/// A node that says one thing.
fn node(parent: Option<&str>, role: &str, text: &str, time: impl Into<Value>) -> Value {
    json!({
        "id": "ignored", "parent": parent, "children": [],
        "message": {
            "author": {"role": role}, "create_time": time.into(),
            "content": {"content_type": "text", "parts": [text]},
            "metadata": {"model_slug": "gpt-4o"},
        },
    })
}

/// Texts with the texts that they follow.
fn edges(conversation: &ImportedConversation) -> Vec<(&str, Option<&str>)> {
    let text = |place: usize| conversation.messages[place].content.as_str();
    let messages = conversation.messages.iter();
    messages
        .map(|message| (message.content.as_str(), message.parent.map(text)))
        .collect()
}

/// Branches by name, with the texts where they fork and end.
fn branches(conversation: &ImportedConversation) -> Vec<(&str, Option<&str>, Option<&str>)> {
    let text = |place: Option<usize>| place.map(|place| conversation.messages[place].content.as_str());
    let branches = conversation.branches.iter();
    branches
        .map(|branch| (branch.name.as_str(), text(branch.fork), text(branch.head)))
        .collect()
}

#[test]
fn every_leaf_becomes_a_branch() {
    let mapping = json!({
        "root": {"id": "root", "message": null, "parent": null, "children": ["q"]},
        "late": node(Some("q"), "assistant", "late", 5),
        "q": node(Some("root"), "user", "q", 1.5),
        "early": node(Some("q"), "assistant", "early", 2),
        "more": node(Some("early"), "user", "more", 3),
        "other": node(Some("root"), "user", "other", 4),
    });
    let conversation = import(&mapping, &json!({"current_node": "more"})).expect("an import");
    assert_eq!(
        edges(&conversation),
        [
            ("q", None),
            ("early", Some("q")),
            ("more", Some("early")),
            ("other", None),
            ("late", Some("q")),
        ]
    );
    assert_eq!(
        branches(&conversation),
        [
            ("Main", None, Some("more")),
            ("Branch 2", None, Some("other")),
            ("Branch 3", Some("q"), Some("late")),
        ]
    );
    let written_on: Vec<_> = conversation
        .messages
        .iter()
        .map(|message| message.branch)
        .collect();
    assert_eq!(written_on, [0, 0, 0, 1, 2]);
    assert_eq!(conversation.active_branch, 0);
    assert!(conversation.branches[0].is_main && !conversation.branches[1].is_main);

    let newest = imported(&mapping);
    assert_eq!(
        branches(&newest)[0],
        ("Main", None, Some("late")),
        "without current_node"
    );
}

#[test]
fn reads_what_it_says_of_itself() {
    let more = json!({
        "conversation_id": "abc", "title": "A\u{7}title", "create_time": 1_700_000_000.123_4, "update_time": null,
        "is_archived": true, "default_model_slug": "gpt-4o",
    });
    let conversation = import(&json!({}), &more).expect("an import");
    assert_eq!(conversation.source, "chatgpt:abc");
    assert_eq!(conversation.title.as_deref(), Some("A title"));
    assert_eq!(conversation.model.as_deref(), Some("gpt-4o"));
    assert!(conversation.archived && conversation.updated_at.is_none());
    let created = conversation.created_at.expect("a time");
    assert_eq!(created.timestamp_millis(), 1_700_000_000_123);
    assert_eq!(
        branches(&conversation),
        [("Main", None, None)],
        "an empty conversation"
    );
}

#[test]
fn splices_out_what_says_nothing() {
    let mut hidden = node(Some("system"), "user", "my instructions", 1);
    hidden["message"]["metadata"]["is_visually_hidden_from_conversation"] = json!(true);
    let conversation = imported(&json!({
        "root": {"message": null},
        "system": node(Some("root"), "system", "", 0),
        "hidden": hidden,
        "q": node(Some("hidden"), "user", "q", 2),
        "empty": node(Some("q"), "assistant", " ", 3),
        "a": node(Some("empty"), "assistant", "a", 4),
        "recap": {"parent": "a", "message": {"author": {"role": "assistant"}, "content": {"content_type": "reasoning_recap", "content": "Thought for 5 seconds"}}},
    }));
    assert_eq!(edges(&conversation), [("q", None), ("a", Some("q"))]);
    assert_eq!(branches(&conversation), [("Main", None, Some("a"))]);
}

#[test]
fn a_current_node_that_is_hidden_means_the_message_above_it() {
    let mapping = json!({
        "q": node(None, "user", "q", 1),
        "a": node(Some("q"), "assistant", "a", 2),
        "b": node(Some("q"), "assistant", "b", 3),
        "nothing": {"parent": "a", "message": null},
    });
    let conversation = import(&mapping, &json!({"current_node": "nothing"})).expect("an import");
    assert_eq!(
        branches(&conversation),
        [("Main", None, Some("a")), ("Branch 2", Some("q"), Some("b"))]
    );
}

#[test]
fn bears_what_is_missing_or_of_another_type() {
    let conversation = imported(&json!({
        "a": {"message": {"author": {"role": "user"}, "content": {"parts": ["a"]}, "create_time": "yesterday", "metadata": null}},
        "b": {"parent": "a", "message": {"author": {"role": "assistant"}, "content": "b", "create_time": 1e300, "metadata": []}},
        "c": {"parent": "gone", "children": null, "message": {"content": {"text": "c"}, "status": "in_progress"}},
        "d": {"parent": 7, "message": {"content": null}},
        "e": {"parent": "b", "message": {"author": {"role": "developer"}, "content": {"result": "e"}, "create_time": -5}},
    }));
    assert_eq!(
        edges(&conversation),
        [("a", None), ("b", Some("a")), ("c", None), ("e", Some("b"))]
    );
    assert!(
        conversation
            .messages
            .iter()
            .all(|message| message.created_at.is_none())
    );
    let roles: Vec<_> = conversation.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::System]);
    assert_eq!(conversation.messages[2].status, MessageStatus::Interrupted);
}

#[test]
fn reads_all_kinds_of_content() {
    let says = |parent: Option<&str>, role: &str, content: Value| json!({"parent": parent, "message": {"author": {"role": role}, "content": content}});
    let conversation = imported(&json!({
        "1": says(None, "user", json!({"content_type": "multimodal_text", "parts": [
            {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}, "what is it?",
            {"content_type": "audio_transcription", "text": "spoken"}, {"content_type": "unheard of"}]})),
        "2": says(Some("1"), "assistant", json!({"content_type": "code", "language": "python", "text": "1+1"})),
        "3": says(Some("2"), "tool", json!({"content_type": "execution_output", "text": "2"})),
        "4": says(Some("3"), "assistant", json!({"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "hm"}, {"summary": "so"}]})),
        "5": says(Some("4"), "assistant", json!({"content_type": "text", "parts": ["two"]})),
        "6": says(Some("4"), "assistant", json!({"content_type": "text", "parts": ["zwei"]})),
    }));
    let said: Vec<_> = conversation
        .messages
        .iter()
        .map(|m| (m.role, m.content.as_str(), m.reasoning.as_deref()))
        .collect();
    assert_eq!(
        said,
        [
            (Role::User, "[image]\nwhat is it?\nspoken", None),
            (Role::Assistant, "1+1", None),
            (Role::Tool, "2", None),
            (Role::Assistant, "two", Some("hm\n\nso")),
            (Role::Assistant, "zwei", None),
        ]
    );
}

#[test]
fn refuses_cycles_and_doubled_ids() {
    let cycle = json!({"a": node(Some("b"), "user", "a", 1), "b": node(Some("a"), "user", "b", 2)});
    let refusal = import(&cycle, &json!({})).expect_err("a cycle");
    assert!(refusal.contains("leads back to itself"), "{refusal}");
    let doubled = br#"{"id":"c","mapping":{"a":{},"a":{}}}"#;
    assert!(
        import_one(doubled)
            .expect_err("doubled")
            .contains("more than once")
    );
    let long = json!({"id": "x".repeat(200)});
    assert!(import(&json!({}), &long).expect_err("too long").contains("`id`"));
}

#[test]
fn refuses_what_is_too_large_to_be_stored() {
    let large = json!({"large": node(None, "user", &"x".repeat(MAX_CONTENT_BYTES + 1), 1)});
    let refusal = import(&large, &json!({})).expect_err("too large");
    assert!(
        refusal.contains("`mapping.large.message.content` has more than 16 MiB"),
        "{refusal}"
    );
    let mut bush = json!({"q": node(None, "user", "q", 1)});
    for n in 0..2_001 {
        bush[format!("{n}")] = node(Some("q"), "assistant", "a", 2);
    }
    let refusal = import(&bush, &json!({})).expect_err("too many leaves");
    assert!(refusal.contains("more than 2000 leaves"), "{refusal}");
}

#[test]
fn a_long_chain_is_no_problem() {
    let mut mapping = json!({});
    for n in (0..50_000_usize).rev() {
        let parent = n.checked_sub(1).map(|parent| parent.to_string());
        mapping[n.to_string()] = node(parent.as_deref(), "user", "x", Value::Null);
    }
    let conversation = imported(&mapping);
    assert_eq!(
        (conversation.messages.len(), conversation.branches.len()),
        (50_000, 1)
    );
    assert_eq!(conversation.branches[0].head, Some(49_999));
}
