//! The events of an answer, in the memory of the instance that produces it.
//!
//! - [`ReplayLog`]: the events of one answer, for readers that come when they like
//! - `packed`: how they are held
//! - [`ReplayBudget`]: what all logs may hold together
//! - [`CopyQueue`]: which logs have events that are to be copied to where other instances read them

mod budget;
mod copying;
mod log;
mod packed;
#[cfg(test)]
mod tests;

pub use budget::ReplayBudget;
pub use copying::{CopyQueue, Uncopied};
pub use log::{Read, ReplayLog};
