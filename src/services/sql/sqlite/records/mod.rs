//! Rows as they are read: from columns to what the API shows, and to what operations work on.

mod branch;
mod conversation;
mod message;

pub(super) use branch::{BranchRecord, ShownBranchRecord};
pub(super) use conversation::ConversationRecord;
pub(super) use message::MessageRecord;
