//! The databases that are measured.

use std::path::PathBuf;

use ai_chat_orchestrator::config::Settings;
use ai_chat_orchestrator::models::ids::InstanceId;
use ai_chat_orchestrator::services::sql::postgres::PostgresDatabase;
use ai_chat_orchestrator::services::sql::sqlite::SqliteDatabase;
use ai_chat_orchestrator::utils::clock::Clock;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::Failure;

/// A file, with the settings that a server has by default.
pub struct Sqlite {
    /// The open database.
    pub database: SqliteDatabase,
    /// The file.
    pub path: PathBuf,
    /// Removed at the end; none for a file that is to be kept.
    _folder: Option<TempDir>,
}

impl Sqlite {
    /// Opens the file that is to be kept, or a new one.
    pub async fn open(keep: Option<&str>) -> Result<Self, Failure> {
        let (folder, path) = match keep {
            Some(path) => (None, PathBuf::from(path)),
            None => {
                let folder = tempfile::tempdir()?;
                let path = folder.path().join("scale.db");
                (Some(folder), path)
            }
        };
        let settings = Settings::from_pairs([])?;
        let clock = Clock::system();
        let database = SqliteDatabase::open(
            &path,
            &settings.database,
            clock.clone(),
            InstanceId::new(&clock),
            &TaskTracker::new(),
        )
        .await?;
        Ok(Self {
            database,
            path,
            _folder: folder,
        })
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> Result<u64, Failure> {
        Ok(self.path.metadata()?.len())
    }
}

/// A database on the server that `TEST_POSTGRES_URL` names.
pub struct Postgres {
    /// The open database.
    pub database: PostgresDatabase,
    url: reqwest::Url,
    name: String,
    keep: bool,
}

impl Postgres {
    /// Opens the database that is to be kept, or a new one.
    pub async fn open(keep: Option<&str>) -> Result<Self, Failure> {
        let url: reqwest::Url = server_url()?.parse()?;
        let name = match keep {
            Some(name) => name.to_owned(),
            None => format!("scale_{}", std::process::id()),
        };
        let made = execute(
            &url,
            &format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"),
        )
        .await;
        if keep.is_none() {
            made?;
        }
        let mut own = url.clone();
        own.set_path(&name);
        let settings = Settings::from_pairs([])?;
        let clock = Clock::system();
        let secret = SecretString::from(own.as_str());
        let database = PostgresDatabase::open(
            &secret,
            &settings.database,
            clock.clone(),
            InstanceId::new(&clock),
            &TaskTracker::new(),
        )
        .await?;
        Ok(Self {
            database,
            url,
            name,
            keep: keep.is_some(),
        })
    }

    /// A connection of the benchmark's own.
    pub async fn connect(&self) -> Result<PgConnection, Failure> {
        let mut own = self.url.clone();
        own.set_path(&self.name);
        Ok(PgConnection::connect(own.as_str()).await?)
    }

    /// Does now what autovacuum does in the minutes after so many rows were written.
    pub async fn tidy(&self) -> Result<(), Failure> {
        let mut session = self.connect().await?;
        session.execute("VACUUM ANALYZE").await?;
        Ok(session.close().await?)
    }

    /// Bytes of the database.
    pub async fn bytes(&self) -> Result<u64, Failure> {
        let mut connection = PgConnection::connect(self.url.as_str()).await?;
        let bytes: i64 = sqlx::query_scalar("SELECT pg_database_size($1)")
            .bind(&self.name)
            .fetch_one(&mut connection)
            .await?;
        Ok(bytes.try_into()?)
    }

    /// Drops the database unless it is to be kept.
    pub async fn close(self) -> Result<(), Failure> {
        self.database.close().await;
        if self.keep {
            return Ok(());
        }
        execute(&self.url, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "settings are those of the service, and this is none of them"
)]
fn server_url() -> Result<String, Failure> {
    std::env::var("TEST_POSTGRES_URL").map_err(|error| format!("TEST_POSTGRES_URL: {error}").into())
}

/// Runs a statement in a session of its own.
async fn execute(url: &reqwest::Url, statement: &str) -> Result<(), Failure> {
    let mut session = PgConnection::connect(url.as_str()).await?;
    session.execute(AssertSqlSafe(statement)).await?;
    Ok(session.close().await?)
}

/// A size as people read it.
pub fn size(bytes: u64) -> String {
    format!("the database has {:.2} GB", bytes as f64 / 1e9)
}
