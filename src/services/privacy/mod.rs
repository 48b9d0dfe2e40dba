//! What a user may ask about everything that is kept of them: to get it, and to have it erased.
//!
//! - [`UserDataExport`]: all of it as one JSON document, written as it is read
//! - [`Erasure`]: removes all of it, here, in the database and in Redis, and what files may still hold
//! - [`Tombstone`]: what is left, so that coming back is no fresh budget
//! - [`UserData`]: where it is kept
//!
//! An erasure is a number of small transactions, each of which leaves everything consistent; the last one removes the
//! account and writes the tombstone. Whoever is interrupted repeats it. What comes late (an answer that another instance
//! was still writing, an entry of its journal) finds neither its conversation nor its reservation: it is charged and dropped.

mod erasure;
mod export;
mod records;
mod tombstone;

pub use erasure::{Erasure, ErasureParts, UserAnswers};
pub use export::{UserDataExport, UserDataExportParts, UserDataFile};
pub use records::{ErasureStep, UsagePlace, UserData};
pub use tombstone::{Tombstone, TombstoneId};
