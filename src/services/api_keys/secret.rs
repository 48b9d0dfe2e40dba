//! What a key looks like: `sk-aco-<public id>-<secret>`.
//!
//! The public id finds the key; the secret proves it. Both are made of Crockford's 32 digits, which leave out the letters
//! that are taken for others (i, l, o) and have no `-`: a key is one word to whoever selects it with a double click.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, rand};
use secrecy::{ExposeSecret as _, SecretString};

use crate::services::auth::API_KEY_PREFIX;

/// Crockford's digits in lower case. There are 32 of them, so that five random bits choose each alike.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Digits of the public id: 80 bits, so that no two keys have the same.
const PUBLIC_ID_DIGITS: usize = 16;

/// Digits of the secret: 260 bits.
const SECRET_DIGITS: usize = 52;

/// Between the public id and the secret.
const SEPARATOR: u8 = b'-';

/// The part of a key that finds it, and that everybody may see.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicId(Box<str>);

/// SHA-256 of a whole key: all that is kept of its secret. The secret has too many bits to be guessed from it, so no slow
/// hash is needed.
#[derive(Clone)]
pub struct KeyHash([u8; digest::SHA256_OUTPUT_LEN]);

/// A key that nobody has been given yet.
#[derive(Debug)]
pub struct NewSecret {
    /// The whole key.
    pub key: SecretString,
    /// How it is found.
    pub public_id: PublicId,
    /// What is stored of it.
    pub hash: KeyHash,
}

/// The system's random numbers cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("no random numbers can be had")]
pub struct NoRandomness;

impl PublicId {
    /// The public id of a text that has the form of a key, and of no other text.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        let rest = key.as_bytes().strip_prefix(API_KEY_PREFIX.as_bytes())?;
        let (id, rest) = rest.split_at_checked(PUBLIC_ID_DIGITS)?;
        let secret = rest.strip_prefix(&[SEPARATOR])?;
        let has_form =
            secret.len() == SECRET_DIGITS && id.iter().chain(secret).all(|byte| DIGITS.contains(byte));
        let id = std::str::from_utf8(id).ok().filter(|_| has_form)?;
        Some(Self(id.into()))
    }

    /// The id, as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How a key begins that was stored under this id: what lists show of it.
    #[must_use]
    pub fn prefix_of(stored: &str) -> String {
        format!("{API_KEY_PREFIX}{stored}")
    }

    /// The public id of a key of which lists show this.
    #[must_use]
    pub fn of_prefix(prefix: &str) -> Self {
        Self(prefix.trim_start_matches(API_KEY_PREFIX).into())
    }
}

impl KeyHash {
    /// The hash of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
        Self(bytes)
    }

    /// A hash that was stored; `None` if these bytes are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes, to be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the hash of that key, in a time that does not tell how much of it is right.
    #[must_use]
    pub fn is_of(&self, key: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(key).0).is_ok()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl NewSecret {
    /// A key from the system's random numbers.
    ///
    /// # Errors
    /// If there are none to be had.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut random = [0; PUBLIC_ID_DIGITS + SECRET_DIGITS];
        rand::fill(&mut random).map_err(|_| NoRandomness)?;
        let mut digits = random
            .iter()
            .map(|byte| char::from(DIGITS[usize::from(byte % 32)]));
        let id: String = digits.by_ref().take(PUBLIC_ID_DIGITS).collect();
        let secret: String = digits.collect();
        let key = SecretString::from(format!("{API_KEY_PREFIX}{id}-{secret}"));
        Ok(Self {
            hash: KeyHash::of(key.expose_secret()),
            public_id: PublicId(id.into()),
            key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_public_id_and_proven_by_all_of_it() {
        let made = NewSecret::generate().expect("random numbers");
        let key = made.key.expose_secret();
        assert_eq!(PublicId::of_key(key), Some(made.public_id.clone()));
        assert!(made.hash.is_of(key));
        let other = NewSecret::generate().expect("random numbers");
        assert_ne!(other.public_id, made.public_id);
        assert!(!made.hash.is_of(other.key.expose_secret()));
        let stored = KeyHash::from_bytes(made.hash.as_bytes()).expect("a hash");
        assert!(stored.is_of(key));
        assert!(KeyHash::from_bytes(b"too short").is_none());
    }

    #[test]
    fn the_secret_has_more_than_256_bits_and_no_dash() {
        let made = NewSecret::generate().expect("random numbers");
        let parts: Vec<_> = made.key.expose_secret().split('-').collect();
        let [sk, aco, id, secret] = parts.as_slice() else {
            panic!("four parts: {parts:?}")
        };
        assert_eq!((*sk, *aco, *id), ("sk", "aco", made.public_id.as_str()));
        let prefix = PublicId::prefix_of(id);
        assert_eq!(prefix, format!("sk-aco-{id}"));
        assert_eq!(PublicId::of_prefix(&prefix), made.public_id);
        assert!(secret.len() * 5 >= 256);
    }

    #[test]
    fn what_has_another_form_is_no_key() {
        let key = NewSecret::generate().expect("random numbers").key;
        let key = key.expose_secret();
        for other in [
            "",
            "sk-aco-",
            &key[1..],
            &key[..key.len() - 1],
            &format!("{key}0"),
            &key.replace("sk-aco-", "sk-xyz-"),
            &format!("{}!", &key[..key.len() - 1]),
            &format!("sk-aco-{}é{}", &key[7..22], &key[24..]),
            &"sk-aco-".repeat(1000),
        ] {
            assert_eq!(PublicId::of_key(other), None, "{other}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let made = NewSecret::generate().expect("random numbers");
        let (_, secret) = made.key.expose_secret().rsplit_once('-').expect("a secret");
        let printed = format!("{made:?}");
        assert!(
            !printed.contains(secret) && printed.contains("REDACTED"),
            "{printed}"
        );
    }
}
