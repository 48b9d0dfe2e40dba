//! How single values are stored in SQLite, and read back; with those that are stored alike everywhere.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

pub(super) use crate::services::sql::values::{EMPTY_OBJECT, count, raw, stored};
use crate::utils::database::DatabaseError;

/// A time as it is stored.
pub(super) const fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

/// A value as a JSON text.
pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, DatabaseError> {
    serde_json::to_string(value).map_err(DatabaseError::encode)
}

/// Ids as one bound value, for `IN (SELECT unhex(value) FROM json_each(?))`.
pub(super) fn id_list(ids: impl ExactSizeIterator<Item = Uuid>) -> String {
    /// Digits of an id, its quotes and a comma.
    const ID_CHARS: usize = 35;
    let mut list = String::with_capacity(2 + ids.len() * ID_CHARS);
    for id in ids {
        list.push(if list.is_empty() { '[' } else { ',' });
        // Writing to a `String` cannot fail.
        let _ = write!(list, "\"{}\"", id.simple());
    }
    list.push_str(if list.is_empty() { "[]" } else { "]" });
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_ids_as_json() {
        let ids = [Uuid::from_u128(1), Uuid::from_u128(u128::MAX)];
        assert_eq!(id_list([].into_iter()), "[]");
        assert_eq!(
            id_list(ids.into_iter()),
            r#"["00000000000000000000000000000001","ffffffffffffffffffffffffffffffff"]"#
        );
    }
}
