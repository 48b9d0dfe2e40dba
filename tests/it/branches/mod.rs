//! Branches of a conversation.
//!
//! - [`changing`]: making, renaming and activating them
//! - [`deleting`]: removing them
//! - [`listing`]: the list of all
//! - [`paths`]: what is on one

mod changing;
mod deleting;
mod listing;
mod paths;
