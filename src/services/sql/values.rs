//! How single values are stored in any SQL database, and read back.

use serde_json::value::RawValue;

use crate::utils::database::DatabaseError;

/// What an object is stored as that holds nothing.
pub(super) const EMPTY_OBJECT: &str = "{}";

/// A stored count; the schema never lets one fall below zero.
pub(super) fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// A count as it is stored.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Stored JSON.
pub(super) fn json(text: String) -> Result<Box<RawValue>, DatabaseError> {
    RawValue::from_string(text).map_err(|error| DatabaseError::Corrupt(format!("JSON: {error}")))
}

/// JSON as it is stored.
pub(super) fn raw(json: Option<&RawValue>) -> Option<&str> {
    json.map(RawValue::get)
}

/// A stored text as JSON.
pub(super) fn text_json(text: &str) -> Result<Box<RawValue>, DatabaseError> {
    serde_json::value::to_raw_value(text).map_err(|error| DatabaseError::Corrupt(format!("text: {error}")))
}

/// A stored name of a closed list.
pub(super) fn named<T>(read: impl Fn(&str) -> Option<T>, name: &str) -> Result<T, DatabaseError> {
    read(name).ok_or_else(|| DatabaseError::Corrupt(format!("name {name}")))
}
