//! How much a model is sent, estimated from above.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A message costs at most so many tokens beside its text: its role, and what separates it from others.
const TOKENS_PER_MESSAGE: u64 = 16;

/// What providers say about a request's tools, beside what it says itself; the longest known is some 700 tokens.
const BYTES_AROUND_DEFINITION: u64 = 1_000;

/// What the service cannot look into may be as long as the longest context windows of 2026; as everything, it counts for no
/// more than the model's own window.
const TOKENS_OF_UNKNOWN: u64 = 2_000_000;

/// What an image usually comes to (OpenAI's 765 tokens for one of 1,024 by 1,024 pixels), in bytes of text.
const USUAL_BYTES_OF_IMAGE: u64 = 3_060;

/// Addresses that end like this are those of images, if they end like a file at all.
const IMAGE_ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "avif"];

/// What is sent, by what tokens are estimated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InputSize {
    /// Bytes of text, of JSON as it is written: no tokeniser makes more than one token of one.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Images, which cost by their size and not by the bytes of their file.
    pub images: u64,
    /// Parts that may be of any length: the model fetches them from somewhere, or nobody here knows what they are.
    pub unknown: u64,
}

/// A message, as far as it matters here. A field that is given twice makes it unreadable: nobody knows which one counts.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio: Option<&'a RawValue>,
}

/// A part of a message, as far as it matters here.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    image_url: Option<&'a RawValue>,
}

/// Where an image is. What it is said to be beside that (`format`) may make another kind of file of it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Image<'a> {
    Address(#[serde(borrow)] Cow<'a, str>),
    Described {
        #[serde(borrow)]
        url: Cow<'a, str>,
        #[serde(default)]
        format: Option<Cow<'a, str>>,
    },
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

    /// A request's `messages`. What cannot be read may be of any length.
    #[must_use]
    pub fn of_messages(json: &RawValue) -> Self {
        let mut size = Self::text(json.get().len());
        let Ok(messages) = serde_json::from_str::<Vec<&RawValue>>(json.get()) else {
            return Self { unknown: 1, ..size };
        };
        size.messages = messages.len() as u64;
        for message in messages {
            match serde_json::from_str::<Message<'_>>(message.get()) {
                Ok(Message { content, audio: None }) => size.look_into(content),
                Ok(Message { audio: Some(_), .. }) | Err(_) => size.unknown += 1,
            }
        }
        size
    }

    /// Adds a message with this text, or with these parts instead.
    pub fn add_message(&mut self, text: &str, parts: Option<&RawValue>) {
        self.messages += 1;
        match parts {
            Some(parts) => {
                self.add_text(parts.get());
                self.look_into(Some(parts));
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

    /// What it usually comes to, in bytes of text: for estimates of what was really used.
    #[must_use]
    pub const fn usual_bytes(&self) -> u64 {
        self.bytes
            .saturating_add(self.images.saturating_mul(USUAL_BYTES_OF_IMAGE))
    }

    /// Takes the bytes of images off, which were counted as text, and counts what is no text.
    fn look_into(&mut self, content: Option<&RawValue>) {
        let Some(content) = content.map(RawValue::get) else {
            return;
        };
        match content.as_bytes().first() {
            Some(b'"' | b'n') => {}
            Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(content) {
                Ok(parts) => parts.into_iter().for_each(|part| self.look_into_part(part)),
                Err(_) => self.unknown += 1,
            },
            _ => self.unknown += 1,
        }
    }

    fn look_into_part(&mut self, part: &RawValue) {
        let Ok(part) = serde_json::from_str::<Part<'_>>(part.get()) else {
            self.unknown += 1;
            return;
        };
        match (&*part.kind, part.image_url) {
            // Sound is sent as it is, and has fewer tokens than bytes.
            ("text" | "refusal" | "input_audio", None) => {}
            ("image_url", Some(image)) if is_image(image) => {
                self.images += 1;
                self.bytes = self.bytes.saturating_sub(image.get().len() as u64);
            }
            _ => self.unknown += 1,
        }
    }
}

/// Whether a server can only take it for an image.
fn is_image(image: &RawValue) -> bool {
    let Ok(Image::Address(url) | Image::Described { url, format: None }) = serde_json::from_str(image.get())
    else {
        return false;
    };
    let Some(address) = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
    else {
        return url.starts_with("data:image/");
    };
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let file = path.split_once('/').map_or("", |(_, path)| path);
    let file = file.rsplit('/').next().unwrap_or_default();
    let ending = file
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_none_or(|ending| IMAGE_ENDINGS.contains(&&*ending))
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
    fn what_nobody_can_look_into_may_be_of_any_length() {
        for content in [
            r#"[{"type":"file","file":{"file_id":"f-1"}}]"#,
            r#"[{"type":"file","file":{"file_data":"abc"}}]"#,
            r#"[{"type":"document_url","document_url":"https://example.com/a"}]"#,
            r#"[{"type":"image_url","image_url":{"url":"https://example.com/a.pdf?x.png"}}]"#,
            r#"[{"type":"image_url","image_url":{"url":"https://example.com/a.png","format":"video/mp4"}}]"#,
            r#"[{"type":"image_url","image_url":{"url":"data:application/pdf;base64,aa"}}]"#,
            r#"[{"type":"image_url","image_url":"gs://bucket/film"}]"#,
            r#"[{"type":"text","text":"a","image_url":{"url":"https://example.com/a.png"}}]"#,
            r#"[{"type":"image_url","image_url":{"url":"https://example.com/a"},"image_url":{"url":"https://example.com/b"}}]"#,
            r#"["text"]"#,
            r#"{"type":"text"}"#,
            "7",
        ] {
            let size = of(&format!(r#"[{{"content":{content}}}]"#));
            assert_eq!((size.unknown, size.images), (1, 0), "{content}");
            assert!(size.tokens_at_most(0) > TOKENS_OF_UNKNOWN);
        }
        assert_eq!(of(r#"{"no":"list"}"#).unknown, 1);
        assert_eq!(of(r#"[{"role":"assistant","audio":{"id":"a"}}]"#).unknown, 1);
        let doubled =
            of(r#"[{"content":"a","content":[{"type":"file"}]},{"content":[{"type":"text","text":"b"}]}]"#);
        assert_eq!(
            (doubled.unknown, doubled.messages),
            (1, 2),
            "one bad message hides no other"
        );
    }

    #[test]
    fn images_are_what_servers_take_for_images() {
        for image in [
            r#"{"url":"https://example.com"}"#,
            r#"{"url":"https://example.com/picture","detail":"low"}"#,
            r#"{"url":"http://example.com/a/b.JPEG?size=1.5"}"#,
            r#""data:image/webp;base64,aa""#,
        ] {
            let size = of(&format!(
                r#"[{{"content":[{{"type":"image_url","image_url":{image}}}]}}]"#
            ));
            assert_eq!((size.unknown, size.images), (0, 1), "{image}");
        }
    }
}
