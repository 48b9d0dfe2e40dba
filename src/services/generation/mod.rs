//! The generation engine: an answer belongs to the server, not to a connection.
//!
//! Each answer is a task of its own (`task`). It reads the model's stream, passes the bytes of each chunk on
//! into a replay log (`replay`) and adds them up to a draft (`draft`). Connections are readers of the log
//! (`handle`): they come, go and come back as they like. What the draft gained is checkpointed every second
//! (`checkpointer`); how it ended is stored and accounted for before readers are told (`finish`); what a
//! dead process left behind is closed by its successor, or by another instance when its lease has run out (`lease`,
//! `recovery`). What another instance produces is read from its log in Redis (`shared`), or else from the database
//! (`remote`).
//!
//! Invariants:
//! - nothing on the path of a chunk waits for the database or holds a lock across an await
//! - a stream ends with exactly one `[DONE]`, after the answer can be read in its conversation
//! - each answer is stored once and entered into the ledger once, however it ends

mod checkpointer;
mod core;
mod draft;
mod engine;
mod finish;
mod frames;
mod handle;
mod lease;
mod orphans;
mod places;
mod reader;
mod records;
mod recovery;
mod registry;
mod remote;
mod replay;
mod shared;
mod stop;
mod task;
mod turn;
mod users;

pub(crate) use core::AnswerReport;
pub use core::EngineSettings;
pub use engine::{Engine, EngineParts, Found, StartGeneration};
pub use finish::LAST_SAVE;
pub use handle::{DisconnectPolicy, Ending, Generation, Next, Subscription};
pub use places::Admission;
pub use reader::Reader;
pub use records::{ABANDONED_BATCH, Checkpoint, GenerationRecord, GenerationRecords, UnfinishedGeneration};
pub use replay::{CopyQueue, Read, ReplayBudget, ReplayLog, Uncopied};
pub use shared::{Append, LogName, LogPage, Newest, SharedLogs};
pub use task::{JobHold, ModelJob, Shorten};
pub use turn::{Kind, TurnIds};
