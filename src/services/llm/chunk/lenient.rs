//! Reading JSON objects field by field, where only broken JSON fails and every text that can be borrowed is.
//!
//! `#[derive(Deserialize)]` does not serve: it fails on a wrong type and on a doubled name, and it copies every
//! `Option<Cow<str>>`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

/// A view that is filled from an object's fields, in whatever order they come.
pub(super) trait ReadFields<'a>: Default {
    /// Reads the value of one field. It must take exactly one value out of the map: that of a field it does not
    /// know with [`skip`].
    fn read_field<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

/// The value as a text; `None` if it is anything else.
pub(super) fn text<'a, A: MapAccess<'a>>(map: &mut A) -> Result<Option<Cow<'a, str>>, A::Error> {
    Ok(map.next_value::<Text<'a>>()?.0)
}

/// The value as an object; `None` if it is anything else.
pub(super) fn object<'a, A: MapAccess<'a>, T: ReadFields<'a>>(map: &mut A) -> Result<Option<T>, A::Error> {
    Ok(map.next_value::<Object<T>>()?.0)
}

/// The objects in a list; none if the value is anything else.
pub(super) fn objects<'a, A, T>(map: &mut A) -> Result<SmallVec<[T; 1]>, A::Error>
where
    A: MapAccess<'a>,
    T: ReadFields<'a>,
{
    Ok(map.next_value::<Objects<T>>()?.0)
}

/// The value's own bytes; `None` if it is null.
pub(super) fn raw<'a, A: MapAccess<'a>>(map: &mut A) -> Result<Option<&'a RawValue>, A::Error> {
    map.next_value()
}

/// The value as a whole number that is not negative, be it written `3`, `3.0` or `"3"`; `None` otherwise.
pub(super) fn whole_number<'a, A: MapAccess<'a>>(map: &mut A) -> Result<Option<u64>, A::Error> {
    // Through the raw text, because a number out of range would fail the whole chunk.
    Ok(raw(map)?.and_then(|value| parse_whole_number(value.get())))
}

fn parse_whole_number(json: &str) -> Option<u64> {
    let digits = json.trim_matches('"');
    let whole = match digits.split_once('.') {
        Some((whole, fraction)) => fraction.bytes().all(|digit| digit == b'0').then_some(whole)?,
        None => digits,
    };
    whole.parse().ok()
}

/// Takes a value out unread.
pub(super) fn skip<'a, A: MapAccess<'a>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// The methods of a visitor for which a value of these types is nothing.
macro_rules! nothing {
    ($nothing:expr; $($method:ident $type:ty),+) => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        $(fn $method<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok($nothing)
        })+
    };
}

macro_rules! list_is_nothing {
    ($nothing:expr) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }
    };
}

macro_rules! object_is_nothing {
    ($nothing:expr) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }
    };
}

/// A text, borrowed unless it holds escapes.
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }

            nothing!(Text(None); visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64);
            list_is_nothing!(Text(None));
            object_is_nothing!(Text(None));
        }

        deserializer.deserialize_any(TextVisitor)
    }
}

/// An object; `None` for any other JSON.
pub(super) struct Object<T>(pub(super) Option<T>);

impl<'de, T: ReadFields<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: ReadFields<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<T>, A::Error> {
                let mut view = T::default();
                while let Some(Text(name)) = map.next_key()? {
                    view.read_field(name.as_deref().unwrap_or_default(), &mut map)?;
                }
                Ok(Object(Some(view)))
            }

            nothing!(Object(None); visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_str &str);
            list_is_nothing!(Object(None));
        }

        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// The objects in a list; none for any other JSON.
struct Objects<T>(SmallVec<[T; 1]>);

impl<'de, T: ReadFields<'de>> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectsVisitor<T>(PhantomData<T>);

        impl<'de, T: ReadFields<'de>> Visitor<'de> for ObjectsVisitor<T> {
            type Value = Objects<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Objects<T>, A::Error> {
                let mut objects = SmallVec::new();
                while let Some(Object(object)) = list.next_element()? {
                    objects.extend(object);
                }
                Ok(Objects(objects))
            }

            nothing!(
                Objects(SmallVec::new());
                visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_str &str
            );
            object_is_nothing!(Objects(SmallVec::new()));
        }

        deserializer.deserialize_any(ObjectsVisitor(PhantomData))
    }
}
