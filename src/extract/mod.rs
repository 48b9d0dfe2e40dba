//! What handlers ask of a request. A rejection is always an `ApiError` that names the field at fault.
//!
//! - [`Json`], [`RawJson`]: bodies, within [`BodyLimits`]; [`LargeJson`]: one that is not held in memory
//! - [`Path`], [`Query`]: parameters
//! - `Page`: the part of a list that is wanted, within [`PageLimits`]
//! - `Caller`, `RequestId`, `TraceContext`: what middleware found out before

mod body;
mod context;
mod explanation;
mod json;
mod large_json;
mod page;
mod path;
mod query;

pub use body::BodyLimits;
pub use context::RequestContext;
pub use json::{Json, RawJson, check_storable, parse};
pub use large_json::{LargeBodyLimit, LargeJson};
pub use page::PageLimits;
pub use path::Path;
pub use query::Query;

#[cfg(test)]
mod tests;
