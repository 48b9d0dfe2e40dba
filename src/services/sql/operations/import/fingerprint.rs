//! Fingerprints of what a source said, kept with its copy: as long as the copy still says that, nobody changed it here, and
//! it follows its source.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::value::RawValue;

use crate::models::conversation::{Conversation, ConversationStatus};
use crate::services::conversations::transfer::import::{ImportedConversation, ImportedMessage};
use crate::services::sql::rows::MessageRow;

/// Of the text of a message in a file.
pub(super) fn of_message(message: &ImportedMessage) -> i64 {
    of_text(&message.content, message.parts.as_deref())
}

/// Of the text of a message as it is here.
pub(super) fn of_row(row: &MessageRow) -> i64 {
    of_text(&row.content, row.parts.as_deref())
}

fn of_text(content: &str, parts: Option<&RawValue>) -> i64 {
    of_fields([Some(content), parts.map(RawValue::get)])
}

/// Of what a file says about a conversation as a whole.
pub(super) fn of_conversation(imported: &ImportedConversation) -> i64 {
    of_fields([
        imported.title.as_deref(),
        imported.model.as_deref(),
        imported.system_message.as_deref(),
        Some(status(imported).as_str()),
        Some(imported.metadata.as_deref().map_or("{}", RawValue::get)),
    ])
}

/// Of the same as it is here.
pub(super) fn of_shown(shown: &Conversation) -> i64 {
    of_fields([
        shown.title.as_deref(),
        shown.model.as_deref(),
        shown.system_message.as_deref(),
        Some(shown.status.as_str()),
        Some(shown.metadata.get()),
    ])
}

/// The status that a conversation of a file has here.
pub(super) fn status(imported: &ImportedConversation) -> ConversationStatus {
    match imported.archived {
        true => ConversationStatus::Archived,
        false => ConversationStatus::Active,
    }
}

/// The first 64 bits of a hash: who finds two texts that share them, deceives only themselves.
fn of_fields<const N: usize>(fields: [Option<&str>; N]) -> i64 {
    let mut context = Context::new(&SHA256);
    for field in fields {
        // Lengths keep fields apart; no field is as long as the one that stands for none.
        let length = field.map_or(u64::MAX, |field| field.len() as u64);
        context.update(&length.to_le_bytes());
        context.update(field.unwrap_or_default().as_bytes());
    }
    let digest = context.finish();
    let first = digest.as_ref().first_chunk().copied();
    i64::from_le_bytes(first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_texts_and_parts_apart() {
        let parts = RawValue::from_string("[1]".to_owned()).expect("JSON");
        let all = [
            of_text("a", None),
            of_text("b", None),
            of_text("a", Some(&parts)),
            of_text("a[1]", None),
            of_text("", Some(&parts)),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one), "{place}");
        }
        assert_eq!(of_text("a", None), all[0]);
    }
}
