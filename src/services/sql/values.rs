//! How single values are stored in any SQL database, and read back.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
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

/// A sum of numbers that were added up in halves, the upper and the lower 32 bits; the largest number there is if it is
/// larger.
pub(super) fn sum(high: i64, low: i64) -> i64 {
    i64::try_from((i128::from(high) << 32) + i128::from(low)).unwrap_or(i64::MAX)
}

/// A time before all that are stored: before the first year that an import may name.
pub(super) fn earliest() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH - TimeDelta::days(800_000)
}

/// A day as it is stored: how many came before it since 1970.
pub(super) fn days_since_1970(day: NaiveDate) -> i64 {
    day.signed_duration_since(DateTime::UNIX_EPOCH.date_naive())
        .num_days()
}

/// The first beginning of a day in UTC that is not before this.
pub(super) fn next_utc_day(at: DateTime<Utc>) -> DateTime<Utc> {
    let begun = at.date_naive().and_time(NaiveTime::MIN).and_utc();
    if begun == at {
        return at;
    }
    begun.checked_add_days(Days::new(1)).unwrap_or(at)
}

/// Stored JSON.
pub(super) fn json(text: String) -> Result<Box<RawValue>, DatabaseError> {
    RawValue::from_string(text).map_err(|error| DatabaseError::corrupt("JSON", error))
}

/// JSON as it is stored.
pub(super) fn raw(json: Option<&RawValue>) -> Option<&str> {
    json.map(RawValue::get)
}

/// A stored text as JSON.
pub(super) fn text_json(text: &str) -> Result<Box<RawValue>, DatabaseError> {
    serde_json::value::to_raw_value(text).map_err(DatabaseError::encode)
}

/// A stored name of a closed list.
pub(super) fn named<T>(read: impl Fn(&str) -> Option<T>, name: &str) -> Result<T, DatabaseError> {
    read(name).ok_or_else(|| DatabaseError::corrupt("name", format!("unknown: {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_halves_end_at_the_largest_number() {
        let halves = |values: &[i64]| {
            let high = values.iter().map(|value| value >> 32).sum();
            sum(high, values.iter().map(|value| value & 0xffff_ffff).sum())
        };
        assert_eq!(halves(&[]), 0);
        assert_eq!(halves(&[7, i64::MAX - 7]), i64::MAX);
        assert_eq!(halves(&[(1 << 40) + 3, (1 << 33) - 1]), (1 << 40) + (1 << 33) + 2);
        assert_eq!(halves(&[i64::MAX, 1]), i64::MAX);
    }
}
