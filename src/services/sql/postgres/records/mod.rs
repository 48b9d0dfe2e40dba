//! Rows as they are read: from columns to what the API shows, and to what operations work on. Beside each record stands
//! a macro with the columns that it is read from, so that statements stay literals.

mod branch;
mod conversation;
mod message;

use chrono::{DateTime, SubsecRound as _, Utc};

pub(super) use branch::{BranchRecord, ShownBranchRecord, branch_columns};
pub(super) use conversation::{ConversationRecord, conversation_columns};
pub(super) use message::{MessageRecord, ShownMessageRecord, message_columns, shown_message_columns};

/// A time as it is stored: in whole milliseconds, as on every database.
pub(super) fn millis(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(3)
}
