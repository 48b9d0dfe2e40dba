//! What the tests stand on: the server under test, its scripted model server, clients and time limits.
//!
//! - [`server`]: the server in this process, the only place that knows how it is started
//! - [`process`]: the real binary as a process of its own, for signals and the command line
//! - [`machine`]: where that process is started, ended and started again; [`fleet`]: several that share a database,
//!   which may fail
//! - [`load`]: users who go on chatting whatever happens, and what was promised to them; [`signals`]: what happens
//! - [`database`]: the server's database, from outside; [`postgres`]: databases on a server; [`private_postgres`]: a server
//!   of the test's own
//! - [`redis`]: Redis servers to be killed and frozen
//! - [`script`]: what other people's clients and tools make of the service
//! - [`upstream`]: the double of an OpenAI-compatible model server
//! - [`client`], [`sse`], [`token`]: a user of the API
//! - [`tree`]: a conversation in the hands of its owner; [`eventful`]: one in which everything has happened
//! - [`time`]: no test waits without a limit, and none sleeps in the hope that something has happened

pub mod client;
pub mod database;
pub mod eventful;
pub mod fleet;
pub mod load;
pub mod machine;
pub mod postgres;
pub mod private_postgres;
pub mod process;
pub mod redis;
pub mod script;
pub mod server;
pub mod signals;
pub mod slow_proxy;
pub mod sse;
pub mod time;
pub mod token;
pub mod tree;
pub mod upstream;

pub use client::{Answer, Client};
pub use database::{Database, Ledger};
pub use fleet::Fleet;
pub use load::Load;
pub use machine::Machine;
pub use postgres::PostgresDatabase;
pub use private_postgres::PrivatePostgres;
pub(crate) use server::on_each_store;
pub use server::{Store, TestServer};
pub use sse::{EventStream, Transcript};
pub use time::{eventually, within};
pub use tree::Tree;
pub use upstream::{Gate, Reply, Upstream, chunk};

/// The model name that tests ask for where the name does not matter.
pub const MODEL: &str = "test-model";
