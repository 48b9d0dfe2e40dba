//! Conversations as files: written in four formats, read in two.
//!
//! Pure text in and out: no database, no HTTP. [`export`] turns pages of messages into bytes, [`import`] turns a
//! file into conversations of a neutral form that a store can write. What [`export`] writes as JSON, [`import`]
//! reads back as an equal tree.

pub mod export;
pub mod import;

#[cfg(test)]
mod tests;
