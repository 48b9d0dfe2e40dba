//! Single values of a row. What cannot be what it stands for is as good as missing; prices and limits that make no
//! sense are counted.

use std::cell::Cell;

use chrono::NaiveDate;
use serde_json::value::RawValue;

use super::body::RawFields;
use crate::models::money::Money;
use crate::models::price::per_million_from_token;
use crate::services::llm::Dropped;

/// More tokens than any model takes.
const MAX_LIMIT: f64 = 1e9;

/// Characters of a text about a model.
const MAX_TEXT_CHARS: usize = 2_000;

/// Texts of a list, and characters of each.
const MAX_TEXTS: usize = 100;
const MAX_LISTED_CHARS: usize = 100;

/// The fields of a row or of an object in it.
pub(super) struct Fields<'a, 'd> {
    raw: RawFields<'a>,
    dropped: &'d Cell<Dropped>,
}

impl<'a, 'd> Fields<'a, 'd> {
    pub(super) const fn new(raw: RawFields<'a>, dropped: &'d Cell<Dropped>) -> Self {
        Self { raw, dropped }
    }

    /// The object in this field; an empty one if there is none.
    pub(super) fn object(&self, name: &str) -> Self {
        let raw = self
            .get(name)
            .and_then(|value| serde_json::from_str(value.get()).ok());
        Self::new(raw.unwrap_or_default(), self.dropped)
    }

    /// A text that is not empty, cut to a bounded length.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text: String = serde_json::from_str(self.get(name)?.get()).ok()?;
        let text: String = text.trim().chars().take(MAX_TEXT_CHARS).collect();
        (!text.is_empty()).then_some(text)
    }

    /// The texts in a list, as many and as long as such lists ever are.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let values: Vec<&RawValue> = self
            .get(name)
            .and_then(|value| serde_json::from_str(value.get()).ok())
            .unwrap_or_default();
        values
            .into_iter()
            .filter_map(|value| serde_json::from_str(value.get()).ok())
            .filter(|text: &String| text.len() <= MAX_LISTED_CHARS)
            .take(MAX_TEXTS)
            .collect()
    }

    /// Yes or no, also as a text.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.get().trim_matches('"') {
            "true" | "True" => Some(true),
            "false" | "False" => Some(false),
            _ => None,
        }
    }

    /// A time in Unix seconds.
    pub(super) fn seconds(&self, name: &str) -> Option<i64> {
        let text = self.get(name)?.get();
        let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
        whole.parse().ok().filter(|seconds| *seconds > 0)
    }

    /// A day, as the beginning of a text.
    pub(super) fn day(&self, name: &str) -> Option<NaiveDate> {
        NaiveDate::parse_from_str(self.text(name)?.get(..10)?, "%Y-%m-%d").ok()
    }

    /// A number of tokens, from the first of these fields that has one: `128000`, `128000.0` or `"128000"`. Null,
    /// `false` and 0 are unknown.
    pub(super) fn limit(&self, names: &[&str]) -> Option<u64> {
        names.iter().find_map(|name| {
            let text = self.known(name)?;
            let limit = parse_limit(text);
            if limit.is_none() {
                self.drop_one(|dropped| dropped.limits += 1);
            }
            limit.filter(|limit| *limit > 0)
        })
    }

    /// The price of a million tokens, from the first of these fields that has the price of one. Null, `false` and 0 are
    /// unknown: what is free says so by other means.
    pub(super) fn price(&self, names: &[&str]) -> Option<Money> {
        names.iter().find_map(|name| {
            let text = self.known(name)?;
            let price = per_million_from_token(text);
            if price.is_none() {
                self.drop_one(|dropped| dropped.prices += 1);
            }
            price.filter(|price| *price > Money::ZERO)
        })
    }

    /// The text of a value without quotes, unless it is a word for unknown.
    fn known(&self, name: &str) -> Option<&'a str> {
        let text = self.get(name)?.get().trim_matches('"').trim();
        (!matches!(text, "null" | "false" | "" | "None")).then_some(text)
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.raw.get(name).copied()
    }

    fn drop_one(&self, count: impl FnOnce(&mut Dropped)) {
        let mut dropped = self.dropped.get();
        count(&mut dropped);
        self.dropped.set(dropped);
    }
}

fn parse_limit(text: &str) -> Option<u64> {
    let number: f64 = text.parse().ok()?;
    if !(0.0..=MAX_LIMIT).contains(&number) || number.fract() != 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number within the range, as was just checked"
    )]
    Some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(value: &str, read: impl FnOnce(&Fields<'_, '_>) -> T) -> (T, Dropped) {
        let json = format!(r#"{{"x":{value}}}"#);
        let dropped = Cell::default();
        let fields = Fields::new(serde_json::from_str(&json).expect("an object"), &dropped);
        let result = read(&fields);
        (result, dropped.get())
    }

    #[test]
    fn limits_come_in_many_forms() {
        for (value, limit, dropped) in [
            ("128000", Some(128_000), 0),
            ("128000.0", Some(128_000), 0),
            ("1.28e5", Some(128_000), 0),
            ("\"128000\"", Some(128_000), 0),
            ("0", None, 0),
            ("0.0", None, 0),
            ("null", None, 0),
            ("false", None, 0),
            ("\"\"", None, 0),
            ("-1", None, 1),
            ("0.5", None, 1),
            ("1e300", None, 1),
            ("1e999", None, 1),
            ("\"NaN\"", None, 1),
            ("\"many\"", None, 1),
            ("true", None, 1),
            ("[1]", None, 1),
            ("{}", None, 1),
        ] {
            let (found, lost) = read(value, |fields| fields.limit(&["y", "x"]));
            assert_eq!((found, lost.limits), (limit, dropped), "{value}");
        }
    }

    #[test]
    fn prices_come_in_many_forms() {
        for (value, price, dropped) in [
            ("1.5e-07", Some(150_000_000), 0),
            ("0.00000015", Some(150_000_000), 0),
            ("\"0.00000015\"", Some(150_000_000), 0),
            ("0", None, 0),
            ("0.0", None, 0),
            ("null", None, 0),
            ("false", None, 0),
            ("-1e-07", None, 1),
            ("-1", None, 1),
            ("1e999", None, 1),
            ("12", None, 1),
            ("\"NaN\"", None, 1),
            ("\"free\"", None, 1),
            ("true", None, 1),
            ("{\"usd\":1}", None, 1),
        ] {
            let (found, lost) = read(value, |fields| fields.price(&["x"]));
            assert_eq!((found.map(Money::nano), lost.prices), (price, dropped), "{value}");
        }
    }

    #[test]
    fn other_values_are_there_or_not() {
        for (value, text) in [
            ("\" a \"", Some("a")),
            ("\"\"", None),
            ("5", None),
            (r#""\ud800""#, None),
        ] {
            assert_eq!(
                read(value, |fields| fields.text("x")).0.as_deref(),
                text,
                "{value}"
            );
        }
        for (value, flag) in [
            ("true", Some(true)),
            ("\"false\"", Some(false)),
            ("null", None),
            ("1", None),
        ] {
            assert_eq!(read(value, |fields| fields.flag("x")).0, flag, "{value}");
        }
        assert_eq!(read(r#"["a",1,"b"]"#, |fields| fields.texts("x")).0, ["a", "b"]);
        assert_eq!(
            read("1677610602.0", |fields| fields.seconds("x")).0,
            Some(1_677_610_602)
        );
        let day = read("\"2027-01-31T00:00:00Z\"", |fields| fields.day("x")).0;
        assert_eq!(day, NaiveDate::from_ymd_opt(2027, 1, 31));
        assert_eq!(read("\"soon\"", |fields| fields.day("x")).0, None);
        assert_eq!(read("\"日本語日本語\"", |fields| fields.day("x")).0, None);
    }
}
