//! The tree of a conversation, written as JSON without recursion: a conversation may be thousands of messages
//! deep, a thread's stack is not.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::models::ids::MessageId;

/// Writes `[{"id","children":[…]}]`, roots first, siblings in the order given. A message whose parent is not
/// among them is a root.
///
/// # Errors
/// Never for a tree; an error would mean that what was written is no JSON.
pub fn tree_json(messages: &[(MessageId, Option<MessageId>)]) -> Result<Box<RawValue>, serde_json::Error> {
    let known: HashMap<MessageId, ()> = messages.iter().map(|(id, _)| (*id, ())).collect();
    let mut children: HashMap<Option<MessageId>, Vec<MessageId>> = HashMap::with_capacity(messages.len());
    for (id, parent) in messages {
        children
            .entry(parent.filter(|parent| known.contains_key(parent)))
            .or_default()
            .push(*id);
    }
    let mut json = String::with_capacity(messages.len() * 64 + 2);
    json.push('[');
    let mut levels = vec![children.remove(&None).unwrap_or_default().into_iter()];
    let mut first = true;
    while let Some(level) = levels.last_mut() {
        if let Some(id) = level.next() {
            if !first {
                json.push(',');
            }
            // Writing to a `String` cannot fail.
            let _ = write!(json, r#"{{"id":"{id}","children":["#);
            first = true;
            levels.push(children.remove(&Some(id)).unwrap_or_default().into_iter());
        } else {
            levels.pop();
            json.push_str(if levels.is_empty() { "]" } else { "]}" });
            first = false;
        }
    }
    RawValue::from_string(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(n: u128) -> MessageId {
        MessageId(Uuid::from_u128(n))
    }

    #[test]
    fn nests_children_under_parents() {
        let tree = tree_json(&[
            (id(1), None),
            (id(2), Some(id(1))),
            (id(3), Some(id(1))),
            (id(4), Some(id(2))),
        ]);
        let short = tree
            .expect("json")
            .get()
            .replace("00000000-0000-0000-0000-00000000000", "");
        assert_eq!(
            short,
            r#"[{"id":"1","children":[{"id":"2","children":[{"id":"4","children":[]}]},{"id":"3","children":[]}]}]"#
        );
    }

    #[test]
    fn is_as_deep_as_it_must_be() {
        let chain: Vec<_> = (1..=50_000)
            .map(|n| (id(n), (n > 1).then(|| id(n - 1))))
            .collect();
        let tree = tree_json(&chain).expect("json");
        assert!(tree.get().ends_with("]}]}]}]"));
        assert_eq!(tree.get().matches("\"id\"").count(), 50_000);
    }

    #[test]
    fn empty_is_an_empty_list() {
        assert_eq!(tree_json(&[]).expect("json").get(), "[]");
    }
}
