//! Rows as they are read from either database: from columns to what the API shows, and to what operations work on.
//!
//! The statements are each database's own; the names and meanings of their columns are the same. What the databases have
//! different types for is a [`StoredTime`].

mod account;
mod api_key;
mod branch;
mod conversation;
mod erasure;
mod generation;
mod hit;
mod message;
mod outbox;
mod path;
mod stats;
mod time;
mod usage;
mod user;
mod user_data;

pub(super) use account::{
    AccountRecord, EnteredRecord, EntryRecord, HeldRecord, OrphanRecord, UsageTotalRecord,
};
pub(super) use api_key::{ShownKeyRecord, VerifiedKeyRecord};
pub(super) use branch::{BranchRecord, ShownBranchRecord};
pub(super) use conversation::ConversationRecord;
pub(super) use erasure::{KeptRecord, PricesRecord, TakenRecord, TombstoneRecord};
pub(super) use generation::{
    CheckpointRecord, ClaimRecord, KeyedRecord, RunningRecord, StateRecord, UnfinishedRecord,
};
pub(super) use hit::HitRecord;
pub(super) use message::MessageRecord;
pub(super) use outbox::{DeadRecord, OutboxRecord, WaitingRecord};
pub(super) use path::{ContextRecord, FiguresRecord, NodeRecord};
pub(super) use stats::{RemovedRecord, TotalsRecord};
pub(super) use time::StoredTime;
pub(super) use usage::{ModelSumsRecord, TimedSumsRecord};
pub(super) use user::UserRecord;
pub(super) use user_data::{NumberedEntryRecord, PlaceRecord, UsageRecord, UsesRecord};
