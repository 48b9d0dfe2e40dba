//! How much a model is sent, estimated from above.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A message costs at most so many tokens beside its text: its role, and what separates it from others.
const TOKENS_PER_MESSAGE: u64 = 16;

/// What providers say about a request's tools, beside what it says itself; the longest known is some 700 tokens.
const BYTES_AROUND_DEFINITION: u64 = 1_000;

/// What the service cannot look into, a file by its id or an address of a video, may be as long as this.
const TOKENS_OF_UNKNOWN: u64 = 200_000;

/// What is sent, by what tokens are estimated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InputSize {
    /// Bytes of text, of JSON as it is written: no tokeniser makes more than one token of one.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Images, which cost by their size and not by the bytes of their file.
    pub images: u64,
    /// Parts that the model fetches from somewhere.
    pub unknown: u64,
}

/// A message, as far as it matters here.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

/// A part of a message, as far as it matters here.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    video_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file: Option<&'a RawValue>,
}

/// A file, as far as it matters here.
#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, default)]
    file_data: Option<&'a RawValue>,
}

impl InputSize {
    /// Text alone.
    #[must_use]
    pub const fn text(bytes: usize) -> Self {
        Self {
            bytes: bytes as u64,
            messages: 0,
            images: 0,
            unknown: 0,
        }
    }

    /// A request's `messages`. What is no list of messages counts as text: the model will refuse it.
    #[must_use]
    pub fn of_messages(json: &RawValue) -> Self {
        let mut size = Self::text(json.get().len());
        let messages: Vec<Message<'_>> = serde_json::from_str(json.get()).unwrap_or_default();
        size.messages = messages.len() as u64;
        for content in messages.into_iter().filter_map(|message| message.content) {
            size.look_into(content);
        }
        size
    }

    /// Adds a message with this text, or with these parts instead.
    pub fn add_message(&mut self, text: &str, parts: Option<&RawValue>) {
        self.messages += 1;
        match parts {
            Some(parts) => {
                self.add_text(parts.get());
                self.look_into(parts);
            }
            None => self.add_text(text),
        }
    }

    /// Adds text.
    pub fn add_text(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len() as u64);
    }

    /// Adds something that describes the answer: tools, or its form. Providers put it into words of their own.
    pub fn add_definition(&mut self, json: &RawValue) {
        self.add_text(json.get());
        self.bytes = self.bytes.saturating_add(BYTES_AROUND_DEFINITION);
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            messages: self.messages.saturating_add(other.messages),
            images: self.images.saturating_add(other.images),
            unknown: self.unknown.saturating_add(other.unknown),
        }
    }

    /// Tokens that the model reads at most, where an image costs it at most so many.
    #[must_use]
    pub const fn tokens_at_most(&self, image_tokens: u64) -> u64 {
        self.bytes
            .saturating_add(self.messages.saturating_mul(TOKENS_PER_MESSAGE))
            .saturating_add(self.images.saturating_mul(image_tokens))
            .saturating_add(self.unknown.saturating_mul(TOKENS_OF_UNKNOWN))
    }

    /// Takes the bytes of images off, which were counted as text, and counts what is no text.
    fn look_into(&mut self, content: &RawValue) {
        if !content.get().starts_with('[') {
            return;
        }
        let parts: Vec<Part<'_>> = serde_json::from_str(content.get()).unwrap_or_default();
        for part in parts {
            if let Some(image) = part.image_url {
                self.images += 1;
                self.bytes = self.bytes.saturating_sub(image.get().len() as u64);
            }
            let is_elsewhere = part.file.is_some_and(|file| {
                serde_json::from_str(file.get()).is_ok_and(|file: File<'_>| file.file_data.is_none())
            });
            self.unknown += u64::from(part.video_url.is_some()) + u64::from(is_elsewhere);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> InputSize {
        InputSize::of_messages(&RawValue::from_string(json.to_owned()).expect("JSON"))
    }

    #[test]
    fn text_is_a_token_for_each_byte_and_a_message_some_more() {
        let json = r#"[{"role":"user","content":"höflich"},{"role":"assistant","content":null}]"#;
        let size = of(json);
        assert_eq!((size.bytes, size.messages), (json.len() as u64, 2));
        assert_eq!(size.tokens_at_most(0), json.len() as u64 + 32);
        let mut stored = InputSize::default();
        stored.add_message("höflich", None);
        assert_eq!(stored.tokens_at_most(0), 8 + 16);
    }

    #[test]
    fn images_count_by_number_and_not_by_bytes() {
        let image = format!(r#"{{"url":"data:image/png;base64,{}"}}"#, "A".repeat(10_000));
        let json = format!(
            r#"[{{"role":"user","content":[{{"type":"text","text":"what is it?"}},{{"type":"image_url","image_url":{image}}}]}}]"#
        );
        let size = of(&json);
        assert_eq!((size.images, size.unknown), (1, 0));
        assert_eq!(size.bytes, (json.len() - image.len()) as u64);
        assert_eq!(size.tokens_at_most(1_000), size.bytes + 16 + 1_000);
    }

    #[test]
    fn what_is_elsewhere_may_be_long() {
        let size = of(
            r#"[{"content":[{"type":"file","file":{"file_id":"f-1"}},{"type":"file","file":{"file_data":"abc"}}]}]"#,
        );
        assert_eq!(size.unknown, 1);
        assert!(size.tokens_at_most(0) > TOKENS_OF_UNKNOWN);
        assert_eq!(of(r#"{"no":"list"}"#).messages, 0);
    }
}
