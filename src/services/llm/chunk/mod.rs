//! What a chunk of a model's answer means: a view that borrows from the model's bytes.
//!
//! - [`Chunk`], [`Choice`], [`Delta`]: the parts of a `chat.completion.chunk` that the service looks at
//! - [`Usage`]: tokens and cost, as far as they make sense
//!
//! Models disagree about what they leave out, set to null or misspell, so nothing but broken JSON fails: a
//! field that is absent, null or of another type is `None`. A chunk is never written again from this view; the
//! model's own bytes are what is passed on.
//!
//! Invariant: what [`clean`] has passed holds no U+0000 and no half of a surrogate pair.

mod lenient;
mod usage;

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize as _;
use serde::de::{Error as _, MapAccess};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use self::lenient::{Object, ReadFields};
use crate::utils::json::replace_unstorable_escapes;

pub use self::usage::{MAX_TOKENS, Usage};

/// One `chat.completion.chunk`. It also reads a `chat.completion`, whose choices then have empty deltas.
#[derive(Debug, Clone, Default)]
pub struct Chunk<'a> {
    /// The answer's id, the same on all its chunks.
    pub id: Option<Cow<'a, str>>,
    /// What each choice gains; often none on the chunk that carries the usage.
    pub choices: SmallVec<[Choice<'a>; 1]>,
    /// Tokens and cost; may come on any chunk, and the last one counts.
    pub usage: Option<Usage>,
    /// An error in the place of a chunk.
    pub error: Option<&'a RawValue>,
}

/// What one choice gains.
#[derive(Debug, Clone, Default)]
pub struct Choice<'a> {
    /// Which of the `n` choices; 0 unless the model says otherwise.
    pub index: u64,
    /// What is added.
    pub delta: Delta<'a>,
    /// Why the choice ended, on its last chunk.
    pub finish_reason: Option<Cow<'a, str>>,
}

/// What is added to a choice.
#[derive(Debug, Clone, Default)]
pub struct Delta<'a> {
    /// The role, on the first chunk.
    pub role: Option<Cow<'a, str>>,
    /// Text.
    pub content: Option<Cow<'a, str>>,
    /// What the model thinks (`reasoning_content`, or `reasoning` where that is the only one).
    pub reasoning_content: Option<Cow<'a, str>>,
    /// Pieces of tool calls, unread.
    pub tool_calls: Option<&'a RawValue>,
    /// Why the model will not answer.
    pub refusal: Option<Cow<'a, str>>,
    /// Whether it holds anything else that is not null, such as images or annotations.
    pub has_others: bool,
}

impl<'a> Chunk<'a> {
    /// Reads a chunk, borrowing from it.
    ///
    /// # Errors
    /// If it is not JSON, or not an object. The error does not quote the chunk.
    pub fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let chunk = Object::deserialize(&mut deserializer)?.0;
        deserializer.end()?;
        chunk.ok_or_else(|| serde_json::Error::custom("not a JSON object"))
    }
}

impl Delta<'_> {
    /// Whether nothing is added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let blank = |text: &Option<Cow<'_, str>>| text.as_ref().is_none_or(|text| text.is_empty());
        self.role.is_none()
            && blank(&self.content)
            && blank(&self.reasoning_content)
            && blank(&self.refusal)
            && self.tool_calls.is_none()
            && !self.has_others
    }
}

/// Whether a chunk brings usage and nothing else: no choice, or one that gains nothing and does not end.
#[must_use]
pub fn is_usage_only(chunk: &Chunk<'_>) -> bool {
    chunk.usage.is_some()
        && match chunk.choices.as_slice() {
            [] => true,
            [choice] => choice.delta.is_empty() && choice.finish_reason.is_none(),
            _ => false,
        }
}

/// The id of the chunk by which LiteLLM tells that it fell back to another deployment.
pub const FALLBACK_NOTE: &str = "litellm-fallback-metadata";

/// The field by which an event tells that it is an error.
const ERROR_FIELD: &[u8] = b"\"error\"";

/// Whether an event names something that can make it another thing than a chunk: seen without parsing it.
#[must_use]
pub fn may_be_no_chunk(json: &[u8]) -> bool {
    [ERROR_FIELD, FALLBACK_NOTE.as_bytes()]
        .iter()
        .any(|name| memmem::find(json, name).is_some())
}

/// A model's JSON as it can be read, stored and sent on: what is not UTF-8, U+0000 and halves of surrogate pairs
/// become U+FFFD. The same bytes, uncopied, where there is none of these.
#[must_use]
pub fn clean(json: Bytes) -> Bytes {
    let json = match std::str::from_utf8(&json) {
        Ok(_) => json,
        Err(_) => Bytes::from(String::from_utf8_lossy(&json).into_owned()),
    };
    match replace_unstorable_escapes(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(replaced) => Bytes::from(replaced),
    }
}

impl<'a> ReadFields<'a> for Chunk<'a> {
    fn read_field<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = lenient::text(map)?,
            "choices" => self.choices = lenient::objects(map)?,
            "usage" => self.usage = lenient::object(map)?,
            "error" => self.error = lenient::raw(map)?,
            _ => lenient::skip(map)?,
        }
        Ok(())
    }
}

impl<'a> ReadFields<'a> for Choice<'a> {
    fn read_field<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = lenient::whole_number(map)?.unwrap_or_default(),
            "delta" => self.delta = lenient::object(map)?.unwrap_or_default(),
            "finish_reason" => self.finish_reason = lenient::text(map)?,
            _ => lenient::skip(map)?,
        }
        Ok(())
    }
}

impl<'a> ReadFields<'a> for Delta<'a> {
    fn read_field<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "role" => self.role = lenient::text(map)?,
            "content" => self.content = lenient::text(map)?,
            "reasoning_content" => {
                let text = lenient::text(map)?;
                self.reasoning_content = text.or(self.reasoning_content.take());
            }
            // Some servers send both names with the same text.
            "reasoning" => {
                let text = lenient::text(map)?;
                self.reasoning_content = self.reasoning_content.take().or(text);
            }
            "tool_calls" => self.tool_calls = lenient::raw(map)?.filter(|raw| raw.get() != "[]"),
            "refusal" => self.refusal = lenient::text(map)?,
            _ => self.has_others |= lenient::raw(map)?.is_some(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
