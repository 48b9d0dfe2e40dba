//! The SQL database that this installation owns.

use std::path::Path;

use crate::config::catalogue::{derived, is, settings};
use crate::config::reader::Reader;
use crate::config::sections::{DatabaseSettings, DatabaseUrl, SqliteSynchronous};
use crate::config::syntax::{Choice, DatabaseLocation, Whole};

settings! {
    Database:
    DATABASE_URL: DatabaseLocation = DatabaseLocation,
        derived("`orchestrator.db` in `DATA_DIR`", "sqlite:./data/orchestrator.db"),
        "SQLite file, or the URL of a PostgreSQL database (in UTF8)";
    DATABASE_MAX_CONNECTIONS: Whole<u32> = Whole::new(1, 1000), is("20"),
        "connections to PostgreSQL; on SQLite those that read (one more writes)";
    SQLITE_SYNCHRONOUS: Choice<SqliteSynchronous> = Choice(&[
        ("full", SqliteSynchronous::Full),
        ("normal", SqliteSynchronous::Normal),
    ]), is("full"),
        "full survives a power loss, normal a killed process";
}

/// The name of the SQLite file unless `DATABASE_URL` gives another.
const FILE_NAME: &str = "orchestrator.db";

pub fn read(reader: &mut Reader, data_dir: &Path) -> DatabaseSettings {
    DatabaseSettings {
        url: reader
            .optional(&DATABASE_URL)
            .unwrap_or_else(|| DatabaseUrl::Sqlite(data_dir.join(FILE_NAME))),
        max_connections: reader.value(&DATABASE_MAX_CONNECTIONS),
        sqlite_synchronous: reader.value(&SQLITE_SYNCHRONOUS),
    }
}
