//! Values as bytes: a version, then JSON.

use bytes::Bytes;

use super::Namespace;

/// The most bytes of a value that is kept. Larger ones are rare, and dearer to move than to load.
pub(super) const MAX_VALUE_BYTES: usize = 256 * 1024;

/// The bytes of a value; `None` if there are too many.
pub(super) fn encode<N: Namespace>(value: &N::Value) -> Option<Bytes> {
    let mut bytes = vec![N::VERSION];
    serde_json::to_writer(&mut bytes, value).ok()?;
    (bytes.len() <= MAX_VALUE_BYTES).then(|| bytes.into())
}

/// The value, unless another release wrote it, or somebody else.
pub(super) fn decode<N: Namespace>(bytes: &[u8]) -> Option<N::Value> {
    let (version, json) = bytes.split_first()?;
    (*version == N::VERSION).then(|| serde_json::from_slice(json).ok())?
}
