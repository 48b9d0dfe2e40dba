//! Embeddings as the API takes and answers them: in OpenAI's form.

use std::fmt;

use serde::de::{Deserializer, Error as _, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The most inputs of one request, as with OpenAI.
pub const MAX_INPUTS: usize = 2_048;

/// OpenAI's embeddings request; fields that are not named here are passed on too.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"model": "text-embedding-3-small", "input": ["red apples", "green pears"]}))]
pub struct EmbeddingsRequest {
    /// What is embedded: a text, a list of token ids, or a list of at most 2,048 of either. None may be empty.
    pub input: EmbeddingsInput,
    /// At most 100 characters. Embeddings of different models cannot be compared, so there is no default.
    #[schema(max_length = 100, example = "text-embedding-3-small")]
    pub model: String,
    /// How each embedding is written. Absent: as the model does, which is `float` as a rule.
    pub encoding_format: Option<EncodingFormat>,
    /// How many numbers each embedding has, at least 1, where the model can be asked for it.
    #[schema(minimum = 1)]
    pub dimensions: Option<u64>,
}

/// How an embedding is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EncodingFormat {
    /// A list of numbers.
    Float,
    /// A text: base64 of the numbers' 32 bits each, the lowest byte first.
    Base64,
}

/// The size of one input: the text itself is passed on unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputItem {
    /// A text of so many bytes.
    Text(usize),
    /// So many token ids.
    Tokens(usize),
}

/// The sizes of what is to be embedded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbeddingsInput {
    /// A text, or a list of token ids.
    One(InputItem),
    /// A list of these, all of one kind.
    Many {
        /// The first of them, up to [`MAX_INPUTS`].
        items: Vec<InputItem>,
        /// How many there are.
        count: usize,
    },
}

impl EmbeddingsInput {
    /// The inputs.
    #[must_use]
    pub fn items(&self) -> &[InputItem] {
        match self {
            Self::One(item) => std::slice::from_ref(item),
            Self::Many { items, .. } => items,
        }
    }
}

impl PartialSchema for EmbeddingsInput {
    fn schema() -> RefOr<Schema> {
        let list_of = |item: RefOr<Schema>| ArrayBuilder::new().items(item).min_items(Some(1));
        let tokens = || list_of(u32::schema());
        let most = |list: ArrayBuilder| list.max_items(Some(MAX_INPUTS));
        AnyOfBuilder::new()
            .item(String::schema())
            .item(tokens())
            .item(most(list_of(String::schema())))
            .item(most(list_of(tokens().into())))
            .into()
    }
}

impl ToSchema for EmbeddingsInput {}

/// What may stand in a list of inputs.
enum Element {
    Token,
    Item(InputItem),
}

impl<'de> Deserialize<'de> for EmbeddingsInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Input;

        impl<'de> Visitor<'de> for Input {
            type Value = EmbeddingsInput;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, token ids, or a list of these")
            }

            fn visit_str<E>(self, text: &str) -> Result<EmbeddingsInput, E> {
                Ok(EmbeddingsInput::One(InputItem::Text(text.len())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<EmbeddingsInput, A::Error> {
                let (mut tokens, mut count) = (0, 0);
                let mut items: Vec<InputItem> = Vec::new();
                while let Some(element) = list.next_element()? {
                    let is_alike = match (&element, items.first()) {
                        (Element::Token, first) => first.is_none(),
                        (Element::Item(_), None) => tokens == 0,
                        (Element::Item(InputItem::Text(_)), Some(first)) => {
                            matches!(first, InputItem::Text(_))
                        }
                        (Element::Item(InputItem::Tokens(_)), Some(first)) => {
                            matches!(first, InputItem::Tokens(_))
                        }
                    };
                    if !is_alike {
                        return Err(A::Error::custom("texts, token ids and lists of these are mixed"));
                    }
                    match element {
                        Element::Token => tokens += 1,
                        Element::Item(item) => {
                            count += 1;
                            if items.len() < MAX_INPUTS {
                                items.push(item);
                            }
                        }
                    }
                }
                Ok(if tokens > 0 {
                    EmbeddingsInput::One(InputItem::Tokens(tokens))
                } else {
                    EmbeddingsInput::Many { items, count }
                })
            }
        }

        deserializer.deserialize_any(Input)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneElement;

        impl<'de> Visitor<'de> for OneElement {
            type Value = Element;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a token id or a list of token ids")
            }

            fn visit_str<E>(self, text: &str) -> Result<Element, E> {
                Ok(Element::Item(InputItem::Text(text.len())))
            }

            fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<Element, E> {
                match u32::try_from(id) {
                    Ok(_) => Ok(Element::Token),
                    Err(_) => Err(E::invalid_value(Unexpected::Unsigned(id), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut ids: A) -> Result<Element, A::Error> {
                let mut count = 0;
                while ids.next_element::<u32>()?.is_some() {
                    count += 1;
                }
                Ok(Element::Item(InputItem::Tokens(count)))
            }
        }

        deserializer.deserialize_any(OneElement)
    }
}

/// OpenAI's list of embeddings, in the order of the inputs. It is passed on in the model's own bytes.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingsResponse {
    /// Always `list`.
    #[schema(example = "list")]
    pub object: String,
    /// One for each input.
    pub data: Vec<Embedding>,
    /// The model that made them.
    pub model: String,
    /// What it read.
    pub usage: EmbeddingsUsage,
}

/// One embedding.
#[derive(Debug, Serialize, ToSchema)]
pub struct Embedding {
    /// Always `embedding`.
    #[schema(example = "embedding")]
    pub object: String,
    /// Which of the inputs it is of, from 0.
    pub index: u64,
    /// Its numbers.
    pub embedding: EmbeddingVector,
}

/// The numbers of an embedding.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EmbeddingVector {
    /// `float`.
    Float(Vec<f32>),
    /// `base64`.
    Base64(String),
}

/// The tokens of a request for embeddings.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingsUsage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// The same: none are written.
    pub total_tokens: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(input: &serde_json::Value) -> Result<EmbeddingsInput, String> {
        // Through text, as it comes.
        serde_json::from_str(&input.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn all_of_openais_forms_are_measured() {
        let one = |item| Ok(EmbeddingsInput::One(item));
        let many = |items: &[InputItem]| {
            Ok(EmbeddingsInput::Many {
                items: items.to_vec(),
                count: items.len(),
            })
        };
        assert_eq!(read(&json!("höflich")), one(InputItem::Text(8)));
        assert_eq!(read(&json!([5, 6, 7])), one(InputItem::Tokens(3)));
        assert_eq!(
            read(&json!(["a", ""])),
            many(&[InputItem::Text(1), InputItem::Text(0)])
        );
        assert_eq!(
            read(&json!([[1], [], [4_294_967_295_u32, 0]])),
            many(&[InputItem::Tokens(1), InputItem::Tokens(0), InputItem::Tokens(2)])
        );
        assert_eq!(read(&json!([])), many(&[]));
    }

    #[test]
    fn what_is_escaped_counts_as_what_it_stands_for() {
        let text = serde_json::from_str(r#""\u00e4\n\"""#);
        assert_eq!(text.ok(), Some(EmbeddingsInput::One(InputItem::Text(4))));
    }

    #[test]
    fn no_more_is_kept_than_may_be_given() {
        let input = read(&json!(vec!["a"; MAX_INPUTS + 5])).expect("a list");
        assert_eq!(input.items().len(), MAX_INPUTS);
        assert!(matches!(input, EmbeddingsInput::Many { count, .. } if count == MAX_INPUTS + 5));
    }

    #[test]
    fn nothing_else_is_taken() {
        for bad in [
            json!(null),
            json!(5),
            json!({"text": "a"}),
            json!(["a", 1]),
            json!([1, "a"]),
            json!(["a", [1]]),
            json!([[1], "a"]),
            json!([1, [1]]),
            json!([1.5]),
            json!([-1]),
            json!([4_294_967_296_u64]),
            json!([[1.5]]),
            json!([["a"]]),
            json!([null]),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
