//! Bounds on what conversations hold, shared by all that write into them.

use serde_json::value::RawValue;

use crate::models::message::{ContentPart, ImageUrl, MergedFrom, MessageContent};
use crate::models::money::Money;
use crate::utils::errors::FieldErrors;
use crate::utils::json::{RawObject, depth};
use crate::utils::validation::{check_length, check_printable};

/// How much of a thing one owner may have. They bind what users write, not what they import.
#[derive(Debug, Clone, Copy)]
pub struct StoreLimits {
    /// Conversations of a user.
    pub conversations: u32,
    /// Branches of a conversation.
    pub branches: u32,
    /// Messages of a conversation.
    pub messages: u32,
    /// The newest messages that become context.
    pub context_messages: u32,
    /// What a new user may spend; `None`: as much as they like.
    pub new_user_budget: Option<Money>,
}

/// Characters of a model's name.
pub const MAX_MODEL_CHARS: usize = 100;

/// Characters of a conversation's title.
pub const MAX_TITLE_CHARS: usize = 200;

/// Characters of a branch's name.
pub const MAX_BRANCH_NAME_CHARS: usize = 100;

/// Bytes of the metadata of a conversation or a message.
pub const MAX_METADATA_BYTES: usize = 10_000;

/// Deepest nesting of metadata: what any reader of JSON takes, with what stands around it in answers and exports.
pub const MAX_METADATA_DEPTH: usize = 100;

/// What the address of an image must be.
pub const IMAGE_ADDRESS: &str = "must be an http(s) address or a data:image/ URL";

/// Content parts in one message.
const MAX_PARTS: usize = 100;

/// Characters of a system message.
pub const MAX_SYSTEM_MESSAGE_CHARS: usize = 8_000;

/// Notes what is wrong with a model's name.
pub fn check_model(errors: &mut FieldErrors, model: &str) {
    check_length(errors, "model", model, 1, MAX_MODEL_CHARS);
    errors.check(!model.chars().any(char::is_control), "model", || {
        "must not hold control characters".to_owned()
    });
}

/// Notes what is wrong with a conversation's title.
pub fn check_title(errors: &mut FieldErrors, title: &str) {
    check_length(errors, "title", title, 1, MAX_TITLE_CHARS);
    check_printable(errors, "title", title);
}

/// Notes what is wrong with a branch's name.
pub fn check_branch_name(errors: &mut FieldErrors, field: &str, name: &str) {
    check_length(errors, field, name, 1, MAX_BRANCH_NAME_CHARS);
    check_printable(errors, field, name);
}

/// Notes a system message that is too long.
pub fn check_system_message(errors: &mut FieldErrors, text: &str) {
    check_length(errors, "system_message", text, 0, MAX_SYSTEM_MESSAGE_CHARS);
}

/// Notes metadata that are no object, too large, or nested too deeply to be read or imported again.
pub fn check_metadata(errors: &mut FieldErrors, metadata: &RawValue) {
    errors.check(metadata.get().starts_with('{'), "metadata", || {
        "must be an object".to_owned()
    });
    errors.check(metadata.get().len() <= MAX_METADATA_BYTES, "metadata", || {
        format!("must have at most {MAX_METADATA_BYTES} bytes")
    });
    errors.check(depth(metadata.get()) <= MAX_METADATA_DEPTH, "metadata", || {
        format!("must be nested at most {MAX_METADATA_DEPTH} deep")
    });
}

/// Notes what is wrong with the metadata that a client gives a message: beside the bounds of all metadata, it must leave
/// alone what the service says there about merges, and goes by.
pub fn check_message_metadata(errors: &mut FieldErrors, metadata: &RawValue) {
    check_metadata(errors, metadata);
    let is_claimed = serde_json::from_str::<RawObject>(metadata.get())
        .is_ok_and(|metadata| metadata.get(MergedFrom::KEY).is_some());
    errors.check(!is_claimed, "metadata", || {
        format!("must not hold `{}`, which merging writes", MergedFrom::KEY)
    });
}

/// Notes what is wrong with what a message says, of at most so many characters.
pub fn check_content(errors: &mut FieldErrors, field: &str, content: &MessageContent, max_chars: usize) {
    let parts = match content {
        MessageContent::Text(text) => return check_length(errors, field, text, 1, max_chars),
        MessageContent::Parts(parts) => parts,
    };
    errors.check((1..=MAX_PARTS).contains(&parts.len()), field, || {
        format!("must have between 1 and {MAX_PARTS} parts")
    });
    let text = content.text();
    check_length(errors, field, &text, 0, max_chars);
    let has_image = parts
        .iter()
        .any(|part| matches!(part, ContentPart::ImageUrl { .. }));
    errors.check(parts.is_empty() || has_image || !text.is_empty(), field, || {
        "must hold a text or an image".to_owned()
    });
    for (n, part) in parts.iter().enumerate() {
        if let ContentPart::ImageUrl { image_url } = part {
            errors.check(
                is_image_address(image_url),
                &format!("{field}[{n}].image_url.url"),
                || IMAGE_ADDRESS.to_owned(),
            );
        }
    }
}

/// Whether an image is where a model, and a page that shows it, may look for one.
pub fn is_image_address(image: &ImageUrl) -> bool {
    ["https://", "http://", "data:image/"]
        .iter()
        .any(|scheme| image.url.starts_with(scheme))
}
