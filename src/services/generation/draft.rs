//! An answer as it grows: what the chunks so far add up to, and which part of it is not checkpointed yet.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::records::Checkpoint;
use crate::models::ids::StreamId;
use crate::services::llm::{Chunk, Usage};

/// An answer is stopped when its text and reasoning are larger than this.
pub(super) const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// An answer is stopped when it wants more tools called than this.
const MAX_TOOL_CALLS: usize = 1_000;

/// A tool call that a model's deltas add up to, as OpenAI writes it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct ToolCall {
    #[serde(skip)]
    index: u64,
    id: String,
    #[serde(rename = "type")]
    kind: String,
    function: Function,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Function {
    name: String,
    arguments: String,
}

#[derive(Debug, Deserialize)]
struct ToolCallDelta {
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    function: Option<FunctionDelta>,
}

#[derive(Debug, Deserialize)]
struct FunctionDelta {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

/// The answer so far. Of several choices only the first is an answer of a conversation; the others are counted.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) content: String,
    pub(super) reasoning: String,
    tool_calls: Vec<ToolCall>,
    tool_call_bytes: usize,
    pub(super) finish_reason: Option<String>,
    pub(super) usage: Option<Usage>,
    /// The answer's id, as the model gave it.
    pub(super) upstream_id: Option<String>,
    /// Bytes of text that are counted and not kept: of further choices (`n` > 1), or all where nothing is stored.
    pub(super) other_bytes: usize,
    /// Whether the text is kept, to be stored.
    keeps_text: bool,
    unsaved: Unsaved,
}

/// What the next checkpoint covers.
#[derive(Debug, Default)]
struct Unsaved {
    /// The id of the first event that is not covered yet, less one.
    events_before: u64,
    content_from: usize,
    reasoning_from: usize,
    /// For each event since: the bytes of content and reasoning that it brought.
    marks: Vec<(u32, u32)>,
    tool_calls: bool,
}

/// What a chunk brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gain {
    content: u32,
    reasoning: u32,
    /// Whether it brought anything that a reader would call a token.
    pub(super) token: bool,
}

impl Gain {
    /// That of an event which is not a model's chunk.
    pub(super) const NOTHING: Self = Self {
        content: 0,
        reasoning: 0,
        token: false,
    };
}

impl Draft {
    /// A draft of an answer that will be stored, or of one that is only counted.
    pub(super) fn new(keeps_text: bool) -> Self {
        Self {
            keeps_text,
            ..Self::default()
        }
    }

    /// The draft that these checkpoints make, in the order of their events.
    pub(super) fn of_checkpoints(checkpoints: &[Checkpoint]) -> Self {
        let mut draft = Self::new(true);
        for checkpoint in checkpoints {
            draft.content.push_str(&checkpoint.content);
            draft.reasoning.push_str(&checkpoint.reasoning);
        }
        let calls = checkpoints
            .iter()
            .rev()
            .find_map(|checkpoint| checkpoint.tool_calls.as_deref());
        // What was written by `checkpointed_tool_calls`.
        let calls: Vec<(u64, ToolCall)> = calls
            .and_then(|calls| serde_json::from_str(calls).ok())
            .unwrap_or_default();
        draft.tool_calls = calls
            .into_iter()
            .map(|(index, call)| ToolCall { index, ..call })
            .collect();
        draft
    }

    /// Adds a chunk.
    pub(super) fn add(&mut self, chunk: &Chunk<'_>) -> Gain {
        let (content_before, reasoning_before) = (self.content.len(), self.reasoning.len());
        let mut token = false;
        if self.upstream_id.is_none() {
            self.upstream_id = chunk.id.as_deref().map(str::to_owned);
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage);
        }
        for choice in &chunk.choices {
            let delta = &choice.delta;
            let text = delta
                .content
                .as_deref()
                .or(delta.refusal.as_deref())
                .unwrap_or_default();
            let reasoning = delta.reasoning_content.as_deref().unwrap_or_default();
            token |= !text.is_empty() || !reasoning.is_empty() || delta.tool_calls.is_some();
            if choice.index != 0 || !self.keeps_text {
                self.other_bytes +=
                    text.len() + reasoning.len() + delta.tool_calls.map_or(0, |calls| calls.get().len());
            } else {
                self.content.push_str(text);
                self.reasoning.push_str(reasoning);
                if let Some(calls) = delta.tool_calls {
                    self.add_tool_calls(calls);
                }
            }
            if choice.index != 0 {
                continue;
            }
            if let Some(reason) = &choice.finish_reason {
                self.finish_reason = Some(reason.to_string());
            }
        }
        // An event is at most 8 MiB, so these fit.
        let grown = |now: usize, before: usize| u32::try_from(now - before).unwrap_or(u32::MAX);
        Gain {
            content: grown(self.content.len(), content_before),
            reasoning: grown(self.reasoning.len(), reasoning_before),
            token,
        }
    }

    /// What is no list of tool call pieces is not a call that a client could answer.
    fn add_tool_calls(&mut self, calls: &RawValue) {
        let Ok(deltas) = serde_json::from_str::<Vec<ToolCallDelta>>(calls.get()) else {
            return;
        };
        for (place, delta) in deltas.into_iter().enumerate() {
            let index = delta.index.unwrap_or(place as u64);
            let at = self
                .tool_calls
                .iter()
                .position(|call| call.index == index)
                .unwrap_or_else(|| {
                    self.tool_calls.push(ToolCall {
                        index,
                        kind: "function".to_owned(),
                        ..ToolCall::default()
                    });
                    self.tool_calls.len() - 1
                });
            let call = &mut self.tool_calls[at];
            if let Some(id) = delta.id.filter(|id| !id.is_empty()) {
                call.id = id;
            }
            if let Some(kind) = delta.kind.filter(|kind| !kind.is_empty()) {
                call.kind = kind;
            }
            if let Some(function) = delta.function {
                self.tool_call_bytes += [&function.name, &function.arguments]
                    .into_iter()
                    .flatten()
                    .map(String::len)
                    .sum::<usize>();
                call.function
                    .name
                    .push_str(function.name.as_deref().unwrap_or_default());
                call.function
                    .arguments
                    .push_str(function.arguments.as_deref().unwrap_or_default());
            }
        }
        self.unsaved.tool_calls = true;
    }

    /// Notes that the next event of the stream brought this.
    pub(super) fn mark(&mut self, gain: Gain) {
        if self.keeps_text {
            self.unsaved.marks.push((gain.content, gain.reasoning));
        }
    }

    /// Whether it is larger than an answer may be.
    pub(super) fn is_too_large(&self) -> bool {
        self.content.len() + self.reasoning.len() + self.other_bytes + self.tool_call_bytes > MAX_ANSWER_BYTES
            || self.tool_calls.len() > MAX_TOOL_CALLS
    }

    /// Whether it holds nothing that is worth keeping.
    pub(super) fn is_empty(&self) -> bool {
        self.written_bytes() == 0 && self.tool_calls.is_empty()
    }

    /// The tool calls, if there are any, as a JSON array.
    pub(super) fn tool_calls(&self) -> Option<Box<RawValue>> {
        if self.tool_calls.is_empty() {
            return None;
        }
        // Texts and a list of them are always JSON.
        to_raw_value(&self.tool_calls).ok()
    }

    /// The tool calls, if there are any, with the numbers by which the model goes on with them: these may have gaps.
    fn checkpointed_tool_calls(&self) -> Option<String> {
        if self.tool_calls.is_empty() {
            return None;
        }
        let calls: Vec<_> = self.tool_calls.iter().map(|call| (call.index, call)).collect();
        // Numbers, texts and lists of them are always JSON.
        serde_json::to_string(&calls).ok()
    }

    /// Bytes that the model wrote, over all choices: what tokens are estimated from.
    pub(super) fn written_bytes(&self) -> usize {
        self.content.len() + self.reasoning.len() + self.other_bytes + self.tool_call_bytes
    }

    /// Takes the text out: the answer has ended, and nothing is left to be checkpointed.
    pub(super) fn take_text(&mut self) -> (String, String) {
        // A checkpoint that is being written at this moment is noted later: it must find that its events are covered.
        self.unsaved = Unsaved {
            events_before: self.unsaved.events_before + self.unsaved.marks.len() as u64,
            ..Unsaved::default()
        };
        (
            std::mem::take(&mut self.content),
            std::mem::take(&mut self.reasoning),
        )
    }

    /// What the next checkpoint covers; `None` if no event came since the last one.
    pub(super) fn unsaved(&self, stream_id: StreamId) -> Option<Checkpoint> {
        let unsaved = &self.unsaved;
        if unsaved.marks.is_empty() {
            return None;
        }
        Some(Checkpoint {
            stream_id,
            first_event: unsaved.events_before + 1,
            content: self.content[unsaved.content_from..].to_owned(),
            reasoning: self.reasoning[unsaved.reasoning_from..].to_owned(),
            marks: unsaved.marks.clone(),
            tool_calls: unsaved
                .tool_calls
                .then(|| self.checkpointed_tool_calls())
                .flatten(),
        })
    }

    /// Notes that this checkpoint is written; one that overlaps with another that was noted first is not.
    pub(super) fn saved(&mut self, checkpoint: &Checkpoint) {
        let unsaved = &mut self.unsaved;
        if checkpoint.first_event != unsaved.events_before + 1 || checkpoint.marks.len() > unsaved.marks.len()
        {
            return;
        }
        unsaved.events_before = checkpoint.end() - 1;
        unsaved.content_from += checkpoint.content.len();
        unsaved.reasoning_from += checkpoint.reasoning.len();
        unsaved.marks.drain(..checkpoint.marks.len());
        // Calls may have grown while the checkpoint was being written: they are written once more then.
        unsaved.tool_calls &= checkpoint.tool_calls.is_none() || !unsaved.marks.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn add(draft: &mut Draft, json: &str) -> Gain {
        let gain = draft.add(&Chunk::parse(json.as_bytes()).expect("a chunk"));
        draft.mark(gain);
        gain
    }

    #[test]
    fn adds_up_text_reasoning_and_tool_calls() {
        let mut draft = Draft::new(true);
        add(
            &mut draft,
            r#"{"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"#,
        );
        add(
            &mut draft,
            r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
        );
        add(
            &mut draft,
            r#"{"choices":[{"index":0,"delta":{"content":"a\u00e9"}},{"index":1,"delta":{"content":"zz"}}]}"#,
        );
        add(
            &mut draft,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{\"a"}}]}}]}"#,
        );
        add(
            &mut draft,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\":1}"}}]},"finish_reason":"tool_calls"}]}"#,
        );
        assert_eq!(
            (
                draft.content.as_str(),
                draft.reasoning.as_str(),
                draft.other_bytes
            ),
            ("aé", "hm", 2)
        );
        assert_eq!(draft.finish_reason.as_deref(), Some("tool_calls"));
        assert_eq!(draft.upstream_id.as_deref(), Some("c1"));
        assert_eq!(
            draft.tool_calls().map(|calls| calls.get().to_owned()).as_deref(),
            Some(r#"[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]"#)
        );
    }

    #[test]
    fn checkpoints_cover_every_event_once() {
        let stream = StreamId(Uuid::nil());
        let mut draft = Draft::new(true);
        assert_eq!(draft.unsaved(stream), None);
        draft.mark(Gain::NOTHING);
        add(&mut draft, r#"{"choices":[{"delta":{"content":"ab"}}]}"#);
        let first = draft.unsaved(stream).expect("two events");
        add(&mut draft, r#"{"choices":[{"delta":{"content":"c"}}]}"#);
        draft.saved(&first);
        assert_eq!(
            (first.first_event, first.end(), first.content.as_str()),
            (1, 3, "ab")
        );
        assert_eq!(first.marks, [(0, 0), (2, 0)]);
        let second = draft.unsaved(stream).expect("one event");
        assert_eq!(
            (second.first_event, second.content.as_str(), second.marks.len()),
            (3, "c", 1)
        );
        draft.saved(&second);
        assert_eq!(draft.unsaved(stream), None);
    }

    #[test]
    fn what_is_recovered_goes_on_with_the_calls_of_its_checkpoints() {
        let delta = |rest: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{rest}]}}}}]}}"#);
        let mut draft = Draft::new(true);
        add(
            &mut draft,
            &delta(r#"{"index":3,"id":"t","function":{"name":"f","arguments":"{"}}"#),
        );
        let checkpoint = draft.unsaved(StreamId(Uuid::nil())).expect("one event");
        let mut recovered = Draft::of_checkpoints(&[checkpoint]);
        add(
            &mut recovered,
            &delta(r#"{"index":3,"function":{"arguments":"}"}}"#),
        );
        assert_eq!(
            recovered
                .tool_calls()
                .map(|calls| calls.get().to_owned())
                .as_deref(),
            Some(r#"[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]"#)
        );
    }

    #[test]
    fn a_checkpoint_that_ends_after_its_answer_changes_nothing() {
        let stream = StreamId(Uuid::nil());
        let mut draft = Draft::new(true);
        add(&mut draft, r#"{"choices":[{"delta":{"content":"ab"}}]}"#);
        let checkpoint = draft.unsaved(stream).expect("one event");
        assert_eq!(draft.take_text().0, "ab");
        draft.saved(&checkpoint);
        assert_eq!(draft.unsaved(stream), None);
    }
}
