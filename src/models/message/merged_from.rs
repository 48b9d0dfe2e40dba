//! Where a merged copy came from.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::models::ids::{BranchId, MessageId};
use crate::utils::json::RawObject;

/// The original of a message that a merge copied, as the copy's metadata name it under [`KEY`](Self::KEY). Only the service
/// writes that key: clients are refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedFrom {
    /// The branch that was merged.
    pub branch_id: BranchId,
    /// The message that was copied.
    pub message_id: MessageId,
}

impl MergedFrom {
    /// The key in a message's metadata.
    pub const KEY: &str = "merged_from";

    /// What metadata say, if they say it.
    ///
    /// # Errors
    /// Metadata that are no object, or have something else under the key.
    pub fn read(metadata: &RawValue) -> Result<Option<Self>, serde_json::Error> {
        let metadata: RawObject = serde_json::from_str(metadata.get())?;
        let found = metadata.get(Self::KEY);
        found.map(|from| serde_json::from_str(from.get())).transpose()
    }

    /// The metadata with this in them.
    ///
    /// # Errors
    /// Metadata that are no object.
    pub fn write(self, metadata: Option<&RawValue>) -> Result<Box<RawValue>, serde_json::Error> {
        let mut metadata: RawObject = match metadata {
            Some(metadata) => serde_json::from_str(metadata.get())?,
            None => RawObject::default(),
        };
        metadata.set_value(Self::KEY, &self)?;
        to_raw_value(&metadata)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn is_read_as_it_was_written_and_leaves_the_rest_alone() {
        let from = MergedFrom {
            branch_id: BranchId(Uuid::from_u128(1)),
            message_id: MessageId(Uuid::from_u128(2)),
        };
        let mine = RawValue::from_string(r#"{"mine":1.50}"#.to_owned()).expect("JSON");
        assert_eq!(MergedFrom::read(&mine).expect("an object"), None);
        let written = from.write(Some(&mine)).expect("an object");
        assert!(written.get().starts_with(r#"{"mine":1.50,"merged_from":{"#));
        assert_eq!(MergedFrom::read(&written).expect("an object"), Some(from));
        let other = RawValue::from_string(r#"{"merged_from":"elsewhere"}"#.to_owned()).expect("JSON");
        assert!(MergedFrom::read(&other).is_err());
    }
}
