//! What tokens are verified with.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::Algorithm;

use super::Syntax;
use super::lists::parse_list;
use crate::config::sections::SecretBytes;

/// The shortest secret, in bytes: RFC 7518 asks for as many as the hash of HS256 has.
const MIN_JWT_SECRET: usize = 32;

/// The longest secret, in bytes.
const MAX_JWT_SECRET: usize = 1024;

/// The secret of HMAC-signed tokens: the text itself, or the bytes behind `base64:`.
pub struct JwtSecret;

impl Syntax for JwtSecret {
    type Value = SecretBytes;
    const SECRET: bool = true;

    fn parse(&self, text: &str) -> Option<SecretBytes> {
        let bytes = match text.strip_prefix("base64:") {
            Some(encoded) => decode(encoded)?,
            None => text.as_bytes().to_vec(),
        };
        (MIN_JWT_SECRET..=MAX_JWT_SECRET)
            .contains(&bytes.len())
            .then(|| SecretBytes::from(bytes))
    }

    fn allowed(&self) -> String {
        format!("a secret of {MIN_JWT_SECRET} to {MAX_JWT_SECRET} bytes, or base64: and its Base64")
    }
}

/// Either alphabet, with or without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let alphabet = if text.contains(['-', '_']) {
        URL_SAFE
    } else {
        STANDARD
    };
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet, config).decode(text).ok()
}

/// The HMAC algorithms that tokens may be signed with.
pub struct Algorithms;

impl Syntax for Algorithms {
    type Value = Vec<Algorithm>;

    fn parse(&self, text: &str) -> Option<Vec<Algorithm>> {
        let mut algorithms = Vec::new();
        for name in parse_list(text)? {
            let algorithm = match name.to_ascii_uppercase().as_str() {
                "HS256" => Algorithm::HS256,
                "HS384" => Algorithm::HS384,
                "HS512" => Algorithm::HS512,
                _ => return None,
            };
            if !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
        (!algorithms.is_empty()).then_some(algorithms)
    }

    fn allowed(&self) -> String {
        "one or more of HS256, HS384, HS512, separated by commas".to_owned()
    }
}
