//! Which models there are, what they can do, and what they cost.
//!
//! - [`Catalog`]: what is asked of it; `refresh` reads the model server in the background
//! - `sources`: what each list of the model server last said
//! - `merge`: from what was said to models; `provider` and `well_known` fill the gaps
//! - `snapshot`: the models as they were found at one time
//! - `filter`, `search`, `compare`, `summary`: what is made of a snapshot
//!
//! What holds:
//!
//! - A request never waits for the model server, except before it was read for the first time and where a reading is what
//!   is asked for. One reading is under way at a time, and all who came before it began get its result.
//! - A list that cannot be read leaves what it said before; only then is the catalog *stale*. A list that the server does
//!   not have says nothing.
//! - A price is what an operator or a provider said, or is unknown. Nothing is guessed, and zero is not believed.
//!
//! The catalog does not decide who may use a model, and not whether an unlisted name exists: the model server does.

mod compare;
mod filter;
mod merge;
mod provider;
mod refresh;
mod search;
mod service;
mod snapshot;
mod sources;
mod summary;
mod well_known;

pub use filter::{ModelFilter, ModelOrder};
pub use service::{Catalog, CatalogParts};

#[cfg(test)]
mod tests;
