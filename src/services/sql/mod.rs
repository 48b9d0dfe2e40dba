//! The SQL database that this installation owns: SQLite.
//!
//! It implements what other services ask for (`ConversationStore`, `GenerationRecords`, `UsageLedger`,
//! `OutboxRecords`): their traits live with them, the SQL lives here. A second database is a second folder
//! beside [`sqlite`], with its own static SQL and its own migrations, behind the same traits.

pub mod sqlite;
