//! Each format's golden sample, and what each leaves out.

use super::*;
use crate::models::message::{MessageStatus, Role};
use crate::services::conversations::transfer::tests::{Sample, message, time};

fn export(format: ExportFormat, sample: &Sample, branches: &[usize]) -> String {
    let mut writer = ExportWriter::new(format, time(100));
    let mut out = writer.begin(&sample.detail).expect("a beginning").to_vec();
    let mut push = |piece: Result<Bytes, ExportError>| out.extend_from_slice(&piece.expect("a piece"));
    match format.traversal() {
        Traversal::Tree => {
            for page in sample.messages.chunks(2) {
                push(writer.messages(page));
            }
        }
        traversal => {
            for (place, &index) in branches.iter().enumerate() {
                let branch = &sample.detail.branches[index];
                let whole = place == 0 || traversal == Traversal::DistinctPaths;
                let fork = branch.parent_message_id.filter(|_| !whole);
                push(writer.branch(branch, fork.map_or(BranchBeginning::Root, BranchBeginning::After)));
                for page in sample.path(branch, whole).chunks(2) {
                    push(writer.messages(page));
                }
            }
        }
    }
    push(writer.end(&sample.detail.branches));
    String::from_utf8(out).expect("text")
}

/// Ids without their zeros.
fn short(text: &str) -> String {
    text.replace("00000000-0000-0000-0000-0000000000", "")
}

#[test]
fn json_is_complete() {
    insta::assert_snapshot!(short(&export(ExportFormat::Json, &Sample::small(), &[])));
}

#[test]
fn markdown_is_a_document() {
    insta::assert_snapshot!(short(&export(ExportFormat::Markdown, &Sample::small(), &[0, 1])));
}

#[test]
fn csv_is_a_table() {
    insta::assert_snapshot!(short(&export(ExportFormat::Csv, &Sample::small(), &[])));
}

#[test]
fn csv_keeps_spreadsheets_from_running_text() {
    let texts = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1"];
    let messages: Vec<_> = texts.iter().map(|text| says(Role::User, text)).collect();
    let mut writer = ExportWriter::new(ExportFormat::Csv, time(0));
    let rows = writer.messages(&messages).expect("rows");
    let mut rows = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&*rows);
    let contents: Vec<String> = rows
        .records()
        .map(|row| row.expect("a row")[5].to_owned())
        .collect();
    assert_eq!(contents, texts.map(|text| format!("'{text}")));
}

#[test]
fn jsonl_is_one_example_for_each_branch() {
    insta::assert_snapshot!(export(ExportFormat::Jsonl, &Sample::small(), &[0, 1]), @r##"
    {"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"=1+1?"},{"role":"assistant","content":"2"}]}
    {"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"=1+1?"},{"role":"assistant","content":"# Two\n```\nof them"}]}
    "##);
}

/// The examples of one branch with these messages, without what stands around them.
fn examples(messages: &[Message]) -> String {
    let sample = Sample::small();
    let mut writer = ExportWriter::new(ExportFormat::Jsonl, time(0));
    let mut detail = sample.detail;
    detail.conversation.system_message = None;
    let mut out = writer.begin(&detail).expect("a beginning").to_vec();
    for message in messages {
        out.extend_from_slice(&writer.messages(std::slice::from_ref(message)).expect("a piece"));
    }
    out.extend_from_slice(&writer.end(&[]).expect("the end"));
    let text = String::from_utf8(out).expect("text");
    if !text.is_empty() {
        serde_json::from_str::<serde::de::IgnoredAny>(&text).expect("one line of JSON");
    }
    text
}

fn calling(ids: &[&str], text: &str) -> Message {
    let calls: Vec<_> = ids.iter().map(|id| serde_json::json!({"id": id})).collect();
    let mut message = message(1, None, Role::Assistant, text);
    message.tool_calls = Some(serde_json::value::to_raw_value(&calls).expect("json"));
    message
}

fn result(id: &str) -> Message {
    let mut message = message(2, None, Role::Tool, "r");
    message.tool_call_id = Some(id.to_owned());
    message
}

fn says(role: Role, text: &str) -> Message {
    message(3, None, role, text)
}

#[test]
fn jsonl_keeps_tool_calls_that_are_answered() {
    let whole = examples(&[
        says(Role::User, "q"),
        calling(&["a", "b"], ""),
        result("b"),
        result("a"),
        says(Role::Assistant, "done"),
    ]);
    insta::assert_snapshot!(whole, @r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"a"},{"id":"b"}]},{"role":"tool","content":"r","tool_call_id":"b"},{"role":"tool","content":"r","tool_call_id":"a"},{"role":"assistant","content":"done"}]}"#);
}

#[test]
fn jsonl_leaves_out_what_nobody_should_learn() {
    let mut failed = says(Role::Assistant, "half an ans");
    failed.status = MessageStatus::Interrupted;
    let left_out = examples(&[
        says(Role::User, "q"),
        failed,
        says(Role::Assistant, ""),
        result("of no call"),
        calling(&["a", "b"], "let me see"),
        result("a"),
        says(Role::User, "well?"),
        says(Role::Assistant, "done"),
        calling(&["c"], ""),
    ]);
    insta::assert_snapshot!(left_out, @r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"let me see"},{"role":"user","content":"well?"},{"role":"assistant","content":"done"}]}"#);
    assert_eq!(examples(&[says(Role::User, "q")]), "", "no answer, no example");
}

#[test]
fn jsonl_holds_back_a_bounded_amount() {
    let long = says(Role::User, &"x".repeat(1 << 20));
    let mut messages = vec![says(Role::User, "q"), says(Role::Assistant, "a")];
    messages.extend(std::iter::repeat_n(long, 5));
    messages.push(says(Role::Assistant, "too late"));
    assert_eq!(
        examples(&messages).trim_end(),
        r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#
    );
}

#[test]
fn markdown_shows_images_and_calls() {
    let mut message = message(1, None, Role::Assistant, "");
    message.content = RawValue::from_string(
        r#"[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"https://a.example/x) (y.png"}},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]"#
            .to_owned(),
    )
    .expect("json");
    message.tool_calls = Some(RawValue::from_string(r#"[{"id":"```"}]"#.to_owned()).expect("json"));
    message.status = MessageStatus::Failed;
    let mut writer = ExportWriter::new(ExportFormat::Markdown, time(0));
    let text = writer.messages(&[message]).expect("a section");
    insta::assert_snapshot!(short(std::str::from_utf8(&text).expect("text")));
}
