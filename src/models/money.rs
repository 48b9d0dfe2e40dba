//! US dollars as whole nano-dollars: exact, and never accumulated in floating point.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// An amount in nano-dollars (1e-9 US dollars). The range is ±9.2 billion dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, sqlx::Type)]
#[sqlx(transparent)]
pub struct Money(i64);

/// More digits than any real amount has: past this a text is not read.
const MAX_TEXT: usize = 64;

/// A nano-dollar is a dollar divided by this power of ten.
const NANO: i32 = 9;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From whole nano-dollars.
    #[must_use]
    pub const fn from_nano(nano: i64) -> Self {
        Self(nano)
    }

    /// In whole nano-dollars.
    #[must_use]
    pub const fn nano(self) -> i64 {
        self.0
    }

    /// Reads a decimal number of dollars as JSON writes it (`0.25`, `1.5e-06`), rounding up to the next
    /// nano-dollar. `None` for what is no finite, non-negative amount within range.
    #[must_use]
    pub fn parse_dollars(text: &str) -> Option<Self> {
        parse_decimal(text, NANO, u128::div_ceil).map(Self)
    }

    /// Reads a decimal number of dollars, and gives a million times as much. It is rounded to the nearest nano-dollar,
    /// since what floating point added to a price is no part of it; but what is more than nothing stays so. `None` as
    /// for [`Self::parse_dollars`].
    #[must_use]
    pub fn parse_dollars_for_million(text: &str) -> Option<Self> {
        let nearest = |digits: u128, divisor: u128| (digits.saturating_add(divisor / 2) / divisor).max(1);
        parse_decimal(text, NANO + 6, nearest).map(Self)
    }

    /// The sum; the end of the range where it is past that.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; the end of the range where it is past that.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum, or `None` past the range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nano) => Some(Self(nano)),
            None => None,
        }
    }
}

/// Reads a decimal number, `10^scale` times as large. What is left below one goes to `round`, with the power of ten
/// that it is to be divided by. `None` for what is no finite, non-negative number within range.
fn parse_decimal(text: &str, scale: i32, round: impl FnOnce(u128, u128) -> u128) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_TEXT {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut digits: u128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.is_ascii_digit().then(|| u128::from(byte - b'0'))?;
        digits = digits.checked_mul(10)?.checked_add(digit)?;
    }
    if digits == 0 {
        return Some(0);
    }
    let shift = exponent
        .checked_add(scale)?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scaled = if let Ok(up) = u32::try_from(shift) {
        digits.checked_mul(10_u128.checked_pow(up)?)?
    } else {
        10_u128
            .checked_pow(shift.unsigned_abs())
            .map_or(1, |divisor| round(digits, divisor))
    };
    i64::try_from(scaled).ok()
}

/// Dollars as an exact decimal, without trailing zeros.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nano = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (nano / 1_000_000_000, nano % 1_000_000_000);
        if fraction == 0 {
            write!(f, "{sign}{whole}")
        } else {
            let digits = format!("{fraction:09}");
            write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
        }
    }
}

/// A JSON number of dollars with every digit, written without going through floating point.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// For the details of an error, where all numbers are those of JSON.
impl From<Money> for serde_json::Value {
    fn from(money: Money) -> Self {
        serde_json::to_value(money).unwrap_or_default()
    }
}

/// Reads what [`Serialize`] writes.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse_dollars(raw.get()).ok_or_else(|| serde::de::Error::custom("not an amount of dollars"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_upstreams_write() {
        let nano = |text| Money::parse_dollars(text).map(Money::nano);
        assert_eq!(nano("1.35e-05"), Some(13_500));
        assert_eq!(nano("1.5e-06"), Some(1_500));
        assert_eq!(nano("0"), Some(0));
        assert_eq!(nano("12"), Some(12_000_000_000));
        assert_eq!(nano("0.0000000001"), Some(1));
        assert_eq!(nano("1e-400"), Some(1));
        for bad in [
            "",
            "-1",
            "NaN",
            "inf",
            "None",
            "1e400",
            "99999999999",
            "1.2.3",
            ".",
            "0x10",
        ] {
            assert_eq!(nano(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(nano in 0..i64::MAX) {
            let money = Money::from_nano(nano);
            prop_assert_eq!(Money::parse_dollars(&money.to_string()), Some(money));
        }
    }
}
