//! API keys: what scripts and other services call this one with, in the name of the user who made them.
//!
//! - [`ApiKeyService`]: making, listing, changing and revoking them
//! - [`ApiKeyVerifier`]: from a key that was presented to a `Caller`
//! - [`ApiKeyRecords`]: the table, whichever database has it
//! - `secret`: what a key looks like, and the hash that is all that is kept of it
//!
//! No key, and no secret part of one, is ever logged, stored or kept in memory for longer than its request.

mod error;
mod records;
mod secret;
mod service;
mod verifier;

pub use error::ApiKeyError;
pub use records::{
    ApiKeyChanges, ApiKeyRecords, KeyRecord, KeyState, MAX_REVOKED_KEPT, NewApiKey, USE_RECORDED_EVERY,
};
pub use secret::{KeyHash, NewSecret, PublicId};
pub use service::{ApiKeyService, MAX_KEYS_PER_USER};
pub use verifier::{ApiKeyParts, ApiKeyVerifier};
