//! Fields of a PATCH body, in which "not given" and "given as null" are two things.
//!
//! Both helpers go with `#[serde(default)]`, which makes `None` of a field that is not given.

use serde::{Deserialize, Deserializer};

/// For `Option<Option<T>>`, a field that can be emptied: null is `Some(None)`.
///
/// # Errors
/// What `T` makes of any other value.
pub fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// For `Option<T>`, a field that can be changed but not emptied: null is an error, as any other wrong value.
///
/// # Errors
/// What `T` makes of null, or of any other value.
pub fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Changes {
        #[serde(default, deserialize_with = "nullable")]
        title: Option<Option<String>>,
        #[serde(default, deserialize_with = "nullable")]
        metadata: Option<Option<Box<RawValue>>>,
        #[serde(default, deserialize_with = "not_null")]
        status: Option<u8>,
    }

    fn read(json: &str) -> Result<Changes, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn absent_null_and_given_are_three_things() {
        let absent = read("{}").expect("changes");
        assert_eq!((absent.title, absent.status), (None, None));
        assert!(absent.metadata.is_none());
        let null = read(r#"{"title":null,"metadata":null}"#).expect("changes");
        assert_eq!(null.title, Some(None));
        assert!(matches!(null.metadata, Some(None)));
        let given = read(r#"{"title":"a","metadata":{"b":1},"status":2}"#).expect("changes");
        assert_eq!((given.title, given.status), (Some(Some("a".to_owned())), Some(2)));
        let metadata = given.metadata.flatten().expect("metadata");
        assert_eq!(metadata.get(), r#"{"b":1}"#);
    }

    #[test]
    fn what_cannot_be_empty_refuses_null() {
        assert!(read(r#"{"status":null}"#).is_err());
        assert!(read(r#"{"title":7}"#).is_err());
    }
}
