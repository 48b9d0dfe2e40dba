//! What the demo model embeds: the words of a text, hashed.
//!
//! Each word adds or takes one at a place that its hash names, and the whole is brought to length 1. So texts that share
//! words are near each other, which is enough to try out a search, and knows nothing of what words mean.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::DEMO_EMBEDDING;
use crate::utils::json::RawObject;

/// How many numbers an embedding has, at most and where nobody says.
pub(super) const DIMENSIONS: usize = 256;

/// The offset and the prime of 64-bit FNV-1a, a hash that is the same everywhere and at any time.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// OpenAI's forms of the input.
#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    TokenLists(Vec<Vec<u32>>),
}

/// The words of each input: token ids are words, too.
fn words(input: Input) -> Vec<Vec<String>> {
    let of_text = |text: String| {
        let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
        // There is more than nothing in a text of spaces alone.
        if words.is_empty() { vec![text] } else { words }
    };
    let of_tokens = |ids: Vec<u32>| ids.iter().map(u32::to_string).collect();
    match input {
        Input::Text(text) => vec![of_text(text)],
        Input::Tokens(ids) => vec![of_tokens(ids)],
        Input::Texts(texts) => texts.into_iter().map(of_text).collect(),
        Input::TokenLists(lists) => lists.into_iter().map(of_tokens).collect(),
    }
}

/// The list of embeddings that a request is answered with.
///
/// # Errors
/// What is wrong with the request.
pub(super) fn answer(request: &RawObject) -> Result<Value, &'static str> {
    let field = |name: &str| request.get(name).map_or("null", |value| value.get());
    let input = serde_json::from_str(field("input")).map_err(|_| "input is no text and no tokens")?;
    let dimensions: Option<usize> =
        serde_json::from_str(field("dimensions")).map_err(|_| "dimensions is no whole number")?;
    let dimensions = dimensions.unwrap_or(DIMENSIONS);
    if !(1..=DIMENSIONS).contains(&dimensions) {
        return Err("dimensions must be between 1 and 256");
    }
    let is_base64 = field("encoding_format") == r#""base64""#;
    let inputs = words(input);
    let tokens: usize = inputs.iter().map(Vec::len).sum();
    let data: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(index, words)| {
            let vector = vector(words, dimensions);
            let embedding = if is_base64 {
                json!(base64(&vector))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    Ok(json!({
        "object": "list",
        "data": data,
        "model": DEMO_EMBEDDING,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }))
}

/// The numbers of some words, of length 1 together.
fn vector(words: &[String], dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    for word in words {
        add(&mut vector, word);
    }
    // Words may cancel each other out; the first one alone never does.
    if vector.iter().all(|number| *number == 0.0)
        && let Some(word) = words.first()
    {
        add(&mut vector, word);
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.iter().map(|number| number / length).collect()
}

fn add(vector: &mut [f32], word: &str) {
    let hash = hash(word);
    // The lowest bit is the sign, the others the place.
    let places = vector.len() as u64;
    let at = usize::try_from((hash >> 1) % places).unwrap_or_default();
    vector[at] += if hash & 1 == 0 { 1.0 } else { -1.0 };
}

fn hash(word: &str) -> u64 {
    word.bytes().fold(FNV_OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
    })
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn embedded(request: &Value) -> Value {
        let request = serde_json::from_str(&request.to_string()).expect("an object");
        answer(&request).expect("an answer")
    }

    fn of(text: &str, dimensions: usize) -> Vec<f32> {
        let answer = embedded(&json!({"input": text, "dimensions": dimensions}));
        serde_json::from_value(answer["data"][0]["embedding"].clone()).expect("numbers")
    }

    fn likeness(one: &str, other: &str) -> f32 {
        of(one, DIMENSIONS)
            .iter()
            .zip(of(other, DIMENSIONS))
            .map(|(a, b)| a * b)
            .sum()
    }

    #[test]
    fn texts_that_share_words_are_near_each_other() {
        let near = likeness("The red apple tastes good", "the RED apple");
        let far = likeness("The red apple tastes good", "Trains leave at noon");
        assert!(near > 0.5 && far < 0.2, "{near} {far}");
    }

    #[test]
    fn base64_holds_the_same_numbers() {
        let answer = embedded(&json!({"input": ["one two"], "encoding_format": "base64"}));
        let text = answer["data"][0]["embedding"].as_str().expect("a text");
        let bytes = BASE64_STANDARD.decode(text).expect("base64");
        let numbers: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect();
        assert_eq!(numbers, of("one two", DIMENSIONS));
    }

    #[test]
    fn each_form_of_input_is_embedded_and_counted() {
        for (input, vectors, tokens) in [
            (json!("one two"), 1, 2),
            (json!(["one two", "three"]), 2, 3),
            (json!([1, 2, 3]), 1, 3),
            (json!([[1, 2], [3]]), 2, 3),
            (json!("  "), 1, 1),
        ] {
            let answer = embedded(&json!({"input": input}));
            assert_eq!(answer["data"].as_array().map(Vec::len), Some(vectors), "{input}");
            assert_eq!(answer["usage"]["prompt_tokens"], tokens, "{input}");
        }
        let refused = serde_json::from_str(r#"{"input":"a","dimensions":257}"#).expect("an object");
        assert!(answer(&refused).is_err());
    }

    proptest! {
        #[test]
        fn every_text_has_an_embedding_of_length_one(text in ".{1,80}", dimensions in 1..=DIMENSIONS) {
            let vector = of(&text, dimensions);
            prop_assert_eq!(vector.len(), dimensions);
            let length: f32 = vector.iter().map(|number| number * number).sum();
            prop_assert!((length - 1.0).abs() < 1e-4, "{}", length);
        }
    }
}
