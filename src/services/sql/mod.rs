//! The SQL database that this installation owns: SQLite or PostgreSQL.
//!
//! It implements what other services ask for (`ConversationStore`, `GenerationRecords`, `UsageLedger`,
//! `AccountRecords`, `OutboxRecords`, `ApiKeyRecords`, `UserData`): their traits live with them, the SQL lives here.
//!
//! - [`SqlConversations`]: the conversation store, one transaction around each operation
//! - `accounts`, `user_data`: accounts and the ledger, and all that is kept about a user, in the same way
//! - `operations`: what the store does, once for all databases
//! - [`rows`]: what a transaction can do with the tables; [`SqlDatabase`] begins and ends it
//! - [`sqlite`], [`postgres`]: static SQL for each database; `records`, `values`: what both read and store alike
//! - [`OpenDatabase`]: whichever of the two the settings name

mod accounts;
mod database;
mod opened;
mod operations;
pub mod postgres;
mod records;
pub mod rows;
pub mod sqlite;
mod store;
mod user_data;
mod values;

pub use accounts::SqlAccounts;
pub use database::SqlDatabase;
pub use opened::{OpenDatabase, OpenError};
pub use store::SqlConversations;
