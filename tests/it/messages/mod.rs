//! Messages of a conversation.
//!
//! - [`writing`]: adding, editing and deleting them without a model
//! - [`editing`]: other words for a question
//! - [`reading`]: one of them, and what is around it
//! - [`search`]: in one conversation
//! - [`images`]: content that is more than text

mod editing;
mod images;
mod reading;
mod search;
mod writing;
