//! Opening the file, and bringing its schema up to date.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio_util::task::TaskTracker;

use super::scrub::Scrubber;
use super::{SqliteDatabase, Writer};
use crate::config::{self, DatabaseSettings};
use crate::models::ids::InstanceId;
use crate::utils::clock::Clock;

/// SQLite's name for a database without a file, which tests use.
const IN_MEMORY: &str = ":memory:";

/// How long SQLite waits for a lock that another process holds (a command, a backup).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages that one connection keeps in memory (16 MB, if it ever reads so many): those that a list of 10,000
/// conversations goes through. With the 2 MB that SQLite has by default, such a list takes five times as long.
const CACHE_SIZE: &str = "-16000";

/// How long a reader may wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// The schema, oldest change first. A database that knows changes beyond these is refused.
pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its folder could not be made.
    #[error("{path} cannot be made: {source}")]
    Folder {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be opened.
    #[error("{path} cannot be opened as a database: {source}")]
    Open {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of {path} cannot be used: {source}")]
    Migrate {
        /// The database file.
        path: PathBuf,
        /// Which change, and why.
        source: sqlx::migrate::MigrateError,
    },
}

impl SqliteDatabase {
    /// Opens the file, which is made if need be, and brings its schema up to date.
    ///
    /// # Errors
    /// If it is no database, cannot be written, or has a schema newer than this binary knows.
    pub async fn open(
        path: &Path,
        settings: &DatabaseSettings,
        clock: Clock,
        instance: InstanceId,
        tracker: &TaskTracker,
    ) -> Result<Self, OpenError> {
        let writing = connect_and_migrate(path, settings).await?;
        let readers = readers(path, settings).await.map_err(|source| OpenError::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            readers,
            writer: Writer::start(writing, tracker),
            scrubber: Scrubber::new(options(path, settings)),
            clock,
            instance,
        })
    }

    /// Brings the schema of a file up to date and closes it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn migrate(path: &Path, settings: &DatabaseSettings) -> Result<(), OpenError> {
        let connection = connect_and_migrate(path, settings).await?;
        connection.close().await.map_err(|source| OpenError::Open {
            path: path.to_owned(),
            source,
        })
    }
}

async fn connect_and_migrate(
    path: &Path,
    settings: &DatabaseSettings,
) -> Result<SqliteConnection, OpenError> {
    let mut connection = connect(path, settings).await?;
    MIGRATIONS
        .run(&mut connection)
        .await
        .map_err(|source| OpenError::Migrate {
            path: path.to_owned(),
            source,
        })?;
    Ok(connection)
}

async fn readers(path: &Path, settings: &DatabaseSettings) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options(path, settings).pragma("query_only", "ON"))
        .await
}

async fn connect(path: &Path, settings: &DatabaseSettings) -> Result<SqliteConnection, OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|source| OpenError::Folder {
                path: path.to_owned(),
                source,
            })?;
    }
    make_private(path).map_err(|source| OpenError::Folder {
        path: path.to_owned(),
        source,
    })?;
    options(path, settings)
        .create_if_missing(true)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .connect()
        .await
        .map_err(|source| OpenError::Open {
            path: path.to_owned(),
            source,
        })
}

/// Makes the file, if it is not there, for nobody else to read; SQLite gives the files beside it the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    if path == Path::new(IN_MEMORY) {
        return Ok(());
    }
    File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

fn options(path: &Path, settings: &DatabaseSettings) -> SqliteConnectOptions {
    let synchronous = match settings.sqlite_synchronous {
        config::SqliteSynchronous::Full => SqliteSynchronous::Full,
        config::SqliteSynchronous::Normal => SqliteSynchronous::Normal,
    };
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("secure_delete", "ON")
        .pragma("cache_size", CACHE_SIZE)
        .disable_statement_logging()
}
