//! What the merged messages of a file are copies of.
//!
//! A later merge leaves out what it takes for a copy, and may then delete the original. So that no file, however it was
//! written, can make a message be lost in this way, the file's word alone is not enough: a message counts as a copy only of
//! one before it that says the same.

use std::collections::HashMap;

use crate::models::ids::MessageId;
use crate::models::message::MergedFrom;
use crate::services::conversations::transfer::import::{ImportedConversation, ImportedMessage};

/// What a message says of where it came from, as places in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Provenance {
    /// What it says.
    pub(super) from: MergedFrom,
    /// The message that it names.
    pub(super) message: Option<usize>,
    /// The branch that it names.
    pub(super) branch: Option<usize>,
    /// The message before it that it is a copy of: the one that it names, or, where that is not in the file any more, the
    /// first that names the same one.
    pub(super) copy_of: Option<usize>,
}

/// The provenance of those messages that have one.
pub(super) fn of_merged(imported: &ImportedConversation) -> HashMap<usize, Provenance> {
    let merged = |message: &ImportedMessage| message.merged_from.is_some();
    if !imported.messages.iter().any(merged) {
        return HashMap::new();
    }
    let messages = places(imported.messages.iter().map(|message| &*message.source_id));
    let branches = places(imported.branches.iter().map(|branch| &*branch.source_id));
    let mut found = HashMap::new();
    let mut first: HashMap<MessageId, usize> = HashMap::new();
    for (at, message) in imported.messages.iter().enumerate() {
        let Some(from) = message.merged_from else { continue };
        let named = messages.get(from.message_id.to_string().as_str()).copied();
        let original = named.unwrap_or_else(|| *first.entry(from.message_id).or_insert(at));
        let says_the_same = original < at && is_same(&imported.messages[original], message);
        let provenance = Provenance {
            from,
            message: named,
            branch: branches.get(from.branch_id.to_string().as_str()).copied(),
            copy_of: says_the_same.then_some(original),
        };
        found.insert(at, provenance);
    }
    found
}

fn places<'a>(ids: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    ids.enumerate().map(|(place, id)| (id, place)).collect()
}

/// Whether two messages say the same, so that one stands for the other.
fn is_same(one: &ImportedMessage, other: &ImportedMessage) -> bool {
    let json = |message: &ImportedMessage| {
        [&message.parts, &message.tool_calls].map(|json| json.as_ref().map(|json| json.get().to_owned()))
    };
    one.role == other.role
        && one.content == other.content
        && one.tool_call_id == other.tool_call_id
        && one.reasoning == other.reasoning
        && json(one) == json(other)
}
