//! Checks of fields that are the same whatever they are fields of.

use std::ops::RangeInclusive;

use super::errors::FieldErrors;

/// The years of times: those of RFC 3339 that every database of ours takes.
pub const YEARS: RangeInclusive<i32> = 1..=9999;

/// Notes control characters in a name, other than tabs and ends of lines.
pub fn check_printable(errors: &mut FieldErrors, field: &str, text: &str) {
    let printable = !text.chars().any(|c| c.is_control() && c != '\t' && c != '\n');
    errors.check(printable, field, || "must not hold control characters".to_owned());
}

/// Notes a text that is shorter or longer, in characters, than it may be.
pub fn check_length(errors: &mut FieldErrors, field: &str, text: &str, min: usize, max: usize) {
    // No text has more characters than bytes: most need no counting.
    let fits = text.len() <= max || text.chars().count() <= max;
    let enough = min == 0 || text.len() >= min;
    errors.check(fits && enough, field, || match min {
        0 => format!("must have at most {max} characters"),
        _ => format!("must have between {min} and {max} characters"),
    });
}
