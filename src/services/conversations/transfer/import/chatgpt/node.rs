//! One node of `ChatGPT`'s `mapping`, and what it says.
//!
//! The format is documented nowhere and has changed over the years, so a field of an unexpected type counts as
//! absent; only the shape of the tree and of a message as an object is insisted on.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::limits::{Bounded, MAX_MESSAGES, Refusal, check_model, check_source, lenient};
use crate::models::message::{MessageStatus, Role};
use crate::utils::validation::YEARS;

/// Most nodes of a conversation: its messages, and as many that are hidden or empty.
const MAX_NODES: usize = 2 * MAX_MESSAGES;

/// Most parts of a message.
const MAX_PARTS: usize = 10_000;

/// What stands for an image that is not in the file.
const IMAGE: &str = "[image]";

/// The nodes of a conversation by id, in the order of the file.
#[derive(Debug)]
pub(super) struct Nodes<'a>(pub(super) Vec<(String, Node<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Nodes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Nodes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of nodes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Nodes<'de>, A::Error> {
                let mut nodes = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if nodes.len() == MAX_NODES {
                        return Err(serde::de::Error::custom(format_args!(
                            "more than {MAX_NODES} nodes"
                        )));
                    }
                    nodes.push(entry);
                }
                Ok(Nodes(nodes))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Node<'a> {
    /// `children` say the same once more, where they are there at all: parents alone count.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) parent: Option<String>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(default, deserialize_with = "lenient")]
    author: Option<Author>,
    #[serde(default, deserialize_with = "lenient")]
    create_time: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    update_time: Option<f64>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct Author {
    role: String,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default, deserialize_with = "lenient")]
    model_slug: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    is_visually_hidden_from_conversation: Option<bool>,
}

/// What a node says.
#[derive(Debug)]
pub(super) enum Said {
    /// Text to keep.
    Text(String),
    /// What the model thought: it belongs to the answer that follows.
    Thoughts(String),
    /// Nothing.
    Nothing,
}

impl Node<'_> {
    /// What it says, unless it is hidden.
    pub(super) fn said(&self) -> Result<Said, Refusal> {
        match &self.message {
            Some(message) if !message.is_hidden() => message.said(),
            _ => Ok(Said::Nothing),
        }
    }
}

impl Message<'_> {
    fn is_hidden(&self) -> bool {
        let metadata = self.metadata.as_ref();
        metadata.and_then(|metadata| metadata.is_visually_hidden_from_conversation) == Some(true)
    }

    /// Whoever is neither user, model nor system is a tool: kept to be read, and never sent to a model, which
    /// would refuse the result of a call that it does not know.
    pub(super) fn role(&self) -> Role {
        match self.author.as_ref().map(|author| author.role.as_str()) {
            Some("developer") => Role::System,
            Some(name) => Role::from_name(name).unwrap_or(Role::Tool),
            None => Role::Tool,
        }
    }

    /// The model that wrote it. A name that is none is left out.
    pub(super) fn model(&self) -> Option<String> {
        let slug = self.metadata.as_ref()?.model_slug.clone()?;
        model(slug)
    }

    pub(super) fn status(&self) -> MessageStatus {
        match self.status.as_deref() {
            Some("in_progress") => MessageStatus::Interrupted,
            _ => MessageStatus::Completed,
        }
    }

    pub(super) fn created_at(&self) -> Option<DateTime<Utc>> {
        time(self.create_time)
    }

    pub(super) fn updated_at(&self) -> Option<DateTime<Utc>> {
        time(self.update_time)
    }

    fn said(&self) -> Result<Said, Refusal> {
        let Some(raw) = self.content else {
            return Ok(Said::Nothing);
        };
        if raw.get().starts_with('"') {
            return Ok(said_text(serde_json::from_str(raw.get()).unwrap_or_default()));
        }
        let content: Content<'_> = serde_json::from_str(raw.get())
            .map_err(|_| Refusal::of("a message's `content` is neither text nor an object"))?;
        content.said()
    }
}

/// The content of a message. Which fields are there depends on `content_type`.
#[derive(Debug, Deserialize)]
struct Content<'a> {
    #[serde(default, deserialize_with = "lenient")]
    content_type: Option<String>,
    #[serde(borrow)]
    parts: Option<&'a RawValue>,
    #[serde(borrow)]
    thoughts: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    text: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    result: Option<String>,
}

impl Content<'_> {
    fn said(self) -> Result<Said, Refusal> {
        match self.content_type.as_deref() {
            // The person's instructions and the model's notes about them, repeated in every conversation, and
            // "thought for 5 seconds".
            Some("user_editable_context" | "model_editable_context" | "reasoning_recap") => Ok(Said::Nothing),
            Some("thoughts") => thoughts(self.thoughts),
            // What is of no known type may still have text where others have it.
            _ => {
                let parts = self.parts.map(parts_text).transpose()?;
                let text = parts
                    .filter(|text| !text.is_empty())
                    .or(self.text)
                    .or(self.result);
                Ok(said_text(text.unwrap_or_default()))
            }
        }
    }
}

fn said_text(text: String) -> Said {
    if text.trim().is_empty() {
        Said::Nothing
    } else {
        Said::Text(text)
    }
}

/// Parts are strings or objects; images and sounds are pointers to files that are not there.
fn parts_text(raw: &RawValue) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Part {
        #[serde(default, deserialize_with = "lenient")]
        content_type: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        text: Option<String>,
    }
    let parts: Bounded<&RawValue, MAX_PARTS> = serde_json::from_str(raw.get())
        .map_err(|_| Refusal::of(format!("a message's `parts` are no list of at most {MAX_PARTS}")))?;
    let mut texts: Vec<String> = Vec::new();
    for part in parts.0 {
        if let Ok(text) = serde_json::from_str::<String>(part.get()) {
            texts.push(text);
        } else if let Ok(part) = serde_json::from_str::<Part>(part.get()) {
            match (part.content_type.as_deref(), part.text) {
                (Some("image_asset_pointer"), _) => texts.push(IMAGE.to_owned()),
                (_, Some(text)) => texts.push(text),
                _ => {}
            }
        }
    }
    texts.retain(|text| !text.is_empty());
    Ok(texts.join("\n"))
}

fn thoughts(raw: Option<&RawValue>) -> Result<Said, Refusal> {
    #[derive(Deserialize)]
    struct Thought {
        #[serde(default, deserialize_with = "lenient")]
        summary: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        content: Option<String>,
    }
    let Some(raw) = raw else {
        return Ok(Said::Nothing);
    };
    let thoughts: Bounded<Thought, MAX_PARTS> = serde_json::from_str(raw.get()).map_err(|_| {
        Refusal::of(format!(
            "a message's `thoughts` are no list of at most {MAX_PARTS}"
        ))
    })?;
    let texts: Vec<String> = thoughts
        .0
        .into_iter()
        .filter_map(|thought| thought.content.or(thought.summary))
        .filter(|text| !text.is_empty())
        .collect();
    Ok(if texts.is_empty() {
        Said::Nothing
    } else {
        Said::Thoughts(texts.join("\n\n"))
    })
}

/// A model's name, unless it is none.
pub(super) fn model(slug: String) -> Option<String> {
    (!slug.is_empty() && check_model("model", &slug).is_ok()).then_some(slug)
}

/// Seconds since 1970, as a time to the millisecond. What is out of range counts as absent.
pub(super) fn time(seconds: Option<f64>) -> Option<DateTime<Utc>> {
    let since = Duration::try_from_secs_f64(seconds?).ok()?;
    let milliseconds = since.saturating_add(Duration::from_micros(500)).as_millis();
    let time = DateTime::from_timestamp_millis(i64::try_from(milliseconds).ok()?)?;
    YEARS.contains(&time.year()).then_some(time)
}

/// Refuses ids that are too long to be kept.
pub(super) fn check_ids(nodes: &[(String, Node<'_>)]) -> Result<(), Refusal> {
    nodes.iter().try_for_each(|(id, _)| check_source(id))
}
