//! What can be asked for on the command line.

use clap::{Parser, ValueEnum};

/// Measures a store of conversations at scale.
#[derive(Debug, Parser)]
pub struct Options {
    /// The database to measure; PostgreSQL is the one at `TEST_POSTGRES_URL`, in a database of its own. Without it nothing
    /// is done: `cargo bench` runs every benchmark, and this one takes minutes and gigabytes.
    #[arg(long, value_enum)]
    pub store: Option<StoreKind>,
    /// Conversations of each of the two users.
    #[arg(long, default_value_t = 10_000)]
    pub conversations: usize,
    /// Messages in them, about.
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: usize,
    /// How often each request is measured.
    #[arg(long, default_value_t = 200)]
    pub runs: usize,
    /// Keep the database under this name (on SQLite the path of a file), and use it again if it is there.
    #[arg(long)]
    pub keep: Option<String>,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// A database to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// A file.
    Sqlite,
    /// A database on a server.
    Postgres,
}
