//! What every store of conversations must do, through its interface and on each database.
//!
//! - [`contract`]: one function for each promise, stamped onto every store by [`store_contract_suite!`]
//! - [`properties`]: random [`program`]s of [`command`]s, which the [`runner`] runs on a store and on a small [`model`]
//! - [`money`]: random reservations, charges and refunds, on each store and in a small model
//! - [`plans`]: how PostgreSQL finds what it is asked for; [`parts`]: texts that are far from each other there
//! - [`databases`]: the stores, each over a database of its own
//! - [`user`], [`chat`], [`imports`]: what tests do again and again
//!
//! # Adding a promise
//! Write an `async fn(&TestStore)` in the file of its subject under [`contract`], which drives the interface and nothing
//! else, and name it in [`contract_group!`].

mod chat;
mod command;
mod contract;
mod databases;
mod imports;
mod model;
mod money;
mod parts;
mod plans;
mod program;
mod properties;
mod runner;
mod user;

use contract::{contract_group, store_contract_suite};

store_contract_suite!(sqlite);
store_contract_suite!(postgres);
