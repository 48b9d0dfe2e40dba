//! The server under test, started in this process through the function that `main` calls.
//!
//! Everything that the tests know about the crate's own start and stop stands in this file.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use ai_chat_orchestrator::config::Settings;
use ai_chat_orchestrator::serve::{self, RunningServer};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::time::{eventually, within};
use super::{Client, Database, Ledger, PostgresDatabase, Upstream, token};

/// What the double of the model server is told to expect as our key.
pub const UPSTREAM_KEY: &str = "sk-upstream-master";

/// Where a server under test keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In an SQLite file.
    Sqlite,
    /// In a PostgreSQL database of its own.
    Postgres,
}

/// Stamps tests onto every store: each is an `async fn(Store)`, and becomes one test for each of them.
macro_rules! on_each_store {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test($crate::support::Store::Sqlite).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test($crate::support::Store::Postgres).await;
            })+
        }
    };
}
pub(crate) use on_each_store;

/// A running server with a model server of its own behind it and an empty database.
///
/// Dropping it stops it and asserts that no task is left behind; that needs a multi-threaded test runtime.
pub struct TestServer {
    running: Option<RunningServer>,
    base: String,
    /// The model server that the service calls.
    pub upstream: Upstream,
    data_dir: TempDir,
    postgres: Option<PostgresDatabase>,
}

impl TestServer {
    /// Starts with the settings of tests.
    pub async fn start() -> Self {
        Self::with([]).await
    }

    /// Starts with some settings changed.
    pub async fn with<const N: usize>(changes: [(&str, &str); N]) -> Self {
        Self::on_with(Store::Sqlite, changes).await
    }

    /// Starts on this store.
    pub async fn on(store: Store) -> Self {
        Self::on_with(store, []).await
    }

    /// Starts on this store with some settings changed.
    pub async fn on_with<const N: usize>(store: Store, changes: [(&str, &str); N]) -> Self {
        let upstream = Upstream::start().await;
        let data_dir = TempDir::new().expect("a temporary folder");
        let mut pairs = defaults(&upstream, &data_dir);
        let postgres = match store {
            Store::Sqlite => None,
            Store::Postgres => Some(PostgresDatabase::create().await),
        };
        if let Some(database) = &postgres {
            pairs.insert("DATABASE_URL".to_owned(), database.url());
        }
        pairs.extend(changes.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let settings = Settings::from_pairs(pairs).expect("valid settings");
        let running = within("the server's start", serve::start(settings))
            .await
            .expect("a start");
        Self {
            base: format!("http://{}", running.addr()),
            running: Some(running),
            upstream,
            data_dir,
            postgres,
        }
    }

    /// Its address, as a URL without a path.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where it keeps its data.
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// Its database file, from outside.
    pub async fn database(&self) -> Database {
        Database::open(self.data_dir()).await
    }

    /// The settings by which a command finds what it keeps.
    pub fn settings_of_commands(&self) -> Vec<(&'static str, String)> {
        let data_dir = self.data_dir().to_str().expect("a UTF-8 path");
        let url = self.postgres.as_ref().map(PostgresDatabase::url);
        let url = url.map(|url| ("DATABASE_URL", url));
        [("DATA_DIR", data_dir.to_owned())]
            .into_iter()
            .chain(url)
            .collect()
    }

    /// Its ledger, from outside.
    pub async fn ledger(&self) -> Ledger {
        match &self.postgres {
            Some(database) => Ledger::Postgres(database.connect().await),
            None => Ledger::Sqlite(self.database().await),
        }
    }

    /// A user whom it has not seen before.
    pub fn user(&self) -> Client {
        Client::new_user(&self.base)
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Client {
        Client::anonymous(&self.base)
    }

    /// What it works on beside its connections.
    pub fn tracked_tasks(&self) -> usize {
        self.running
            .as_ref()
            .expect("it runs until it is dropped")
            .tracked_tasks()
    }

    /// Tells it to finish what it does, as SIGTERM would.
    pub fn drain(&self) {
        self.running
            .as_ref()
            .expect("it runs until it is dropped")
            .drain();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let (Some(running), postgres) = (self.running.take(), self.postgres.take()) else {
            return;
        };
        block_in_place(|| {
            Handle::current().block_on(async {
                if !thread::panicking() {
                    stop(running).await;
                }
                if let Some(database) = postgres {
                    database.remove().await;
                }
            });
        });
    }
}

/// Stops in order and asserts that every background task came to its end.
async fn stop(running: RunningServer) {
    running.drain();
    eventually("the end of all background tasks", async || {
        (running.tracked_tasks() == 0).then_some(())
    })
    .await;
    within("the server's stop", running.stop()).await;
}

fn defaults(upstream: &Upstream, data_dir: &TempDir) -> BTreeMap<String, String> {
    [
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("DATA_DIR", data_dir.path().to_str().expect("a UTF-8 path")),
        ("SQLITE_SYNCHRONOUS", "normal"),
        ("JWT_SECRET_KEY", token::SECRET),
        ("LITELLM_URL", &upstream.url()),
        ("LITELLM_MASTER_KEY", UPSTREAM_KEY),
        ("LITELLM_CONNECT_TIMEOUT", "2"),
        // Most tests ask models that nobody knows.
        ("ALLOW_UNPRICED_MODELS", "true"),
        ("SHUTDOWN_TIMEOUT", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
