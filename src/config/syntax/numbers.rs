//! Numbers, amounts, durations and switches.

use std::marker::PhantomData;
use std::time::Duration;

use super::Syntax;
use crate::models::money::Money;

/// A whole number between two bounds, both included.
pub struct Whole<T> {
    min: u64,
    max: u64,
    number: PhantomData<fn() -> T>,
}

impl<T> Whole<T> {
    pub const fn new(min: u64, max: u64) -> Self {
        Self {
            min,
            max,
            number: PhantomData,
        }
    }
}

impl<T: TryFrom<u64>> Syntax for Whole<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Option<T> {
        let number = parse_whole(text, self.min, self.max)?;
        T::try_from(number).ok()
    }

    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.min, self.max)
    }
}

/// A time in seconds, with a fraction where wanted, rounded to milliseconds.
pub struct Seconds {
    min: f64,
    max: f64,
}

impl Seconds {
    pub const fn new(min: f64, max: f64) -> Self {
        Self { min, max }
    }
}

impl Syntax for Seconds {
    type Value = Duration;

    fn parse(&self, text: &str) -> Option<Duration> {
        let seconds = parse_decimal(text, self.min, self.max)?;
        let exact = Duration::try_from_secs_f64(seconds).ok()?;
        let milliseconds = (exact.as_micros() + 500) / 1000;
        u64::try_from(milliseconds).ok().map(Duration::from_millis)
    }

    fn allowed(&self) -> String {
        format!("seconds from {} to {}", self.min, self.max)
    }
}

/// A time in whole milliseconds.
pub struct Milliseconds {
    min: u64,
    max: u64,
}

impl Milliseconds {
    pub const fn new(min: u64, max: u64) -> Self {
        Self { min, max }
    }
}

impl Syntax for Milliseconds {
    type Value = Duration;

    fn parse(&self, text: &str) -> Option<Duration> {
        parse_whole(text, self.min, self.max).map(Duration::from_millis)
    }

    fn allowed(&self) -> String {
        format!("milliseconds from {} to {}", self.min, self.max)
    }
}

/// A number with a fraction between two bounds, both included.
pub struct Decimal {
    min: f64,
    max: f64,
}

impl Decimal {
    pub const fn new(min: f64, max: f64) -> Self {
        Self { min, max }
    }
}

impl Syntax for Decimal {
    type Value = f64;

    fn parse(&self, text: &str) -> Option<f64> {
        parse_decimal(text, self.min, self.max)
    }

    fn allowed(&self) -> String {
        format!("a number from {} to {}", self.min, self.max)
    }
}

/// An amount in dollars from zero up, kept exactly, in nano-dollars.
pub struct Dollars {
    max_dollars: i64,
}

impl Dollars {
    pub const fn up_to(max_dollars: i64) -> Self {
        Self { max_dollars }
    }
}

impl Syntax for Dollars {
    type Value = i64;

    fn parse(&self, text: &str) -> Option<i64> {
        let nano = Money::parse_dollars(text)?.nano();
        let max_nano = self.max_dollars.checked_mul(1_000_000_000)?;
        (nano <= max_nano).then_some(nano)
    }

    fn allowed(&self) -> String {
        format!("dollars from 0 to {}", self.max_dollars)
    }
}

/// What may be spent: an amount in nano-dollars, or anything (`None`).
pub struct Budget(pub Dollars);

impl Syntax for Budget {
    type Value = Option<i64>;

    fn parse(&self, text: &str) -> Option<Option<i64>> {
        if text.eq_ignore_ascii_case("unlimited") {
            return Some(None);
        }
        self.0.parse(text).map(Some)
    }

    fn allowed(&self) -> String {
        format!("{}, or unlimited", self.0.allowed())
    }
}

/// On or off.
pub struct Flag;

impl Syntax for Flag {
    type Value = bool;

    fn parse(&self, text: &str) -> Option<bool> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        }
    }

    fn allowed(&self) -> String {
        "true or false (also 1, 0, yes, no)".to_owned()
    }
}

/// Digits only: no sign, no exponent, no separators.
fn parse_whole(text: &str, min: u64, max: u64) -> Option<u64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = text.parse().ok()?;
    (min..=max).contains(&number).then_some(number)
}

/// Digits and at most one point: neither the exponents nor the `inf` and `NaN` that a float may be written with.
fn parse_decimal(text: &str, min: f64, max: f64) -> Option<f64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    (min..=max).contains(&number).then_some(number)
}
