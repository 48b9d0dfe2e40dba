//! JSON that passes through unread: objects whose values keep their exact bytes, how deep it is nested, and the escapes
//! that no database of ours can hold.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// A JSON object whose fields keep their order and their exact bytes. Of a doubled name the last value counts.
#[derive(Debug, Clone, Default)]
pub struct RawObject(Vec<(String, Box<RawValue>)>);

impl RawObject {
    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| &**value)
    }

    /// Whether the field is there and not null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.get() != "null")
    }

    /// Replaces a field where it stands, or appends it.
    pub fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Replaces a field with what a value serialises to.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn set_value<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), serde_json::Error> {
        self.set(name, serde_json::value::to_raw_value(value)?);
        Ok(())
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Box<RawValue>> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), &**value))
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = RawObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut object = RawObject::default();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    object.set(&key, value);
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// The first escape in a JSON text that stands for U+0000 or half of a surrogate pair: `serde_json` refuses the
/// latter and PostgreSQL cannot store the former. The range covers the six bytes of the escape.
#[must_use]
pub fn find_unstorable_escape(json: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &json[at..]) {
        let start = at + found;
        if json.get(start + 1) != Some(&b'u') {
            // Any other escape is two bytes long; `\\` in particular must be skipped whole.
            at = (start + 2).min(json.len());
            continue;
        }
        match unit(json, start) {
            Some(0) => return Some(start..start + 6),
            Some(0xD800..=0xDBFF) => match unit(json, start + 6) {
                Some(0xDC00..=0xDFFF) => at = start + 12,
                _ => return Some(start..start + 6),
            },
            Some(0xDC00..=0xDFFF) => return Some(start..start + 6),
            Some(_) => at = start + 6,
            None => at = start + 2,
        }
    }
    None
}

/// The UTF-16 code unit of the `\uXXXX` at this place, if one stands there.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let text = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// The JSON with every such escape replaced by U+FFFD; borrowed where there is none.
#[must_use]
pub fn replace_unstorable_escapes(json: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = find_unstorable_escape(json) else {
        return Cow::Borrowed(json);
    };
    let mut clean = json.to_vec();
    let mut next = Some(first);
    while let Some(range) = next {
        // The replacement has the length of what it replaces, so earlier places stay as they were.
        clean[range.clone()].copy_from_slice(b"\\ufffd");
        next = find_unstorable_escape(&clean[range.end..]).map(|r| r.start + range.end..r.end + range.end);
    }
    Cow::Owned(clean)
}

/// How deep a well-formed JSON text is nested: 0 where it is no array and no object.
#[must_use]
pub fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_only_real_escapes() {
        for (json, expected) in [
            (r#""a\u0000b""#, Some(2..8)),
            (r#""\\u0000""#, None),
            (r#""\ud83d\ude00""#, None),
            (r#""\ud83dx""#, Some(1..7)),
            (r#""\ude00""#, Some(1..7)),
            (r#""\u00""#, None),
            (r#""plain""#, None),
        ] {
            assert_eq!(find_unstorable_escape(json.as_bytes()), expected, "{json}");
        }
        assert_eq!(
            &*replace_unstorable_escapes(br#""\ud83d\u0000\ud83d\ude00""#),
            br#""\ufffd\ufffd\ud83d\ude00""#
        );
    }

    #[test]
    fn sees_how_deep_it_goes() {
        for (json, expected) in [
            ("5", 0),
            ("[]", 1),
            (r#"{"a":[{}],"b":[[]]}"#, 3),
            (r#"["[[[", "\"[[", "\\"]"#, 1),
        ] {
            assert_eq!(depth(json), expected, "{json}");
        }
    }

    #[test]
    fn keeps_order_and_bytes() {
        let text = r#"{"z":1.50,"a":{"k": 10000000000000000000001},"z":2e0}"#;
        let object: RawObject = serde_json::from_str(text).expect("an object");
        assert_eq!(
            serde_json::to_string(&object).expect("json"),
            r#"{"z":2e0,"a":{"k": 10000000000000000000001}}"#
        );
    }
}
