//! Users: who they are, and what they prefer.
//!
//! - [`UserService`]: what users read and change of themselves
//! - [`AnswerDefaults`]: what their preferences say where a chat request and its conversation are silent
//! - [`ProfileStore`]: where profiles are kept; [`CachedProfiles`] stands in front of it
//! - `checks`: what the fields may hold
//!
//! A user is known from the first request that asks for the profile, or that stores something of theirs.

mod answer_defaults;
mod cached;
mod checks;
mod service;
mod store;

pub use answer_defaults::AnswerDefaults;
pub use cached::CachedProfiles;
pub use checks::UserLimits;
pub use service::{Accounts, UserParts, UserService};
pub use store::{ProfileStore, User, UserChanges};
