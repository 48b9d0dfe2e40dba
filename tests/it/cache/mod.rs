//! What the cache promises, on each thing that it can stand on.
//!
//! - `instances`: caches over one origin, as instances of the service have them
//! - `contract`: promises that hold with and without Redis, and after an outage
//! - `shared`: promises between instances; `outages`: those while Redis fails
//! - `conversations`: what the service caches, over HTTP

mod contract;
mod conversations;
mod instances;
mod outages;
mod shared;
