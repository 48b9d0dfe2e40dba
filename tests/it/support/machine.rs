//! Where the real binary is started, ended and started again.

use std::path::Path;

use sqlx::PgConnection;
use tempfile::TempDir;

use super::process::Process;
use super::redis::RedisServer;
use super::{PostgresDatabase, Store, Upstream, token};

/// A data folder, a database and a model server that outlive the processes using them.
pub struct Machine {
    data_dir: TempDir,
    postgres: Option<PostgresDatabase>,
    redis: Option<RedisServer>,
    /// The model server that each process calls.
    pub upstream: Upstream,
}

impl Machine {
    /// A machine on which nothing has run yet, with a database file.
    pub async fn new() -> Self {
        Self::on(Store::Sqlite).await
    }

    /// A machine on which nothing has run yet, with this store. On PostgreSQL, dropping it needs a multi-threaded
    /// test runtime.
    pub async fn on(store: Store) -> Self {
        Self {
            data_dir: TempDir::new().expect("a temporary folder"),
            postgres: match store {
                Store::Sqlite => None,
                Store::Postgres => Some(PostgresDatabase::create().await),
            },
            redis: None,
            upstream: Upstream::start().await,
        }
    }

    /// The same with PostgreSQL and a Redis of its own. Answers are checkpointed so rarely that tests see nothing of it.
    pub async fn with_redis() -> Self {
        let mut machine = Self::on(Store::Postgres).await;
        machine.redis = Some(RedisServer::start().await);
        machine
    }

    /// The Redis of a machine that was made with one.
    pub fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().expect("a machine with Redis")
    }

    /// The same, to be paused while something else of the machine is used.
    pub fn redis_ref(&self) -> &RedisServer {
        self.redis.as_ref().expect("a machine with Redis")
    }

    /// A connection to the database of a machine with PostgreSQL.
    pub async fn database(&self) -> PgConnection {
        let postgres = self.postgres.as_ref().expect("a machine with PostgreSQL");
        postgres.connect().await
    }

    /// Starts the service and waits until it is ready.
    pub async fn serve(&self, shutdown_timeout: &str) -> Process {
        self.serve_with(&[("SHUTDOWN_TIMEOUT", shutdown_timeout)]).await
    }

    /// Starts the service with more settings.
    pub async fn serve_with(&self, more: &[(&str, &str)]) -> Process {
        self.serve_in(self.data_dir(), more).await
    }

    /// Starts one of several instances: with a data folder of its own, of this name.
    pub async fn instance(&self, name: &str) -> Process {
        self.instance_with(name, &[]).await
    }

    /// Starts one of several instances with more settings.
    pub async fn instance_with(&self, name: &str, more: &[(&str, &str)]) -> Process {
        self.serve_in(&self.data_dir().join(name), more).await
    }

    async fn serve_in(&self, data_dir: &Path, more: &[(&str, &str)]) -> Process {
        let url = self.upstream.url();
        let database = self.postgres.as_ref().map(PostgresDatabase::url);
        let mut settings = vec![("JWT_SECRET_KEY", token::SECRET), ("LITELLM_URL", &url)];
        settings.extend(database.as_deref().map(|url| ("DATABASE_URL", url)));
        let redis = self.redis.as_ref().map(RedisServer::url);
        if let Some(url) = &redis {
            settings.extend([("REDIS_URL", url.as_str()), ("CHECKPOINT_SECONDS", "60")]);
        }
        settings.extend_from_slice(more);
        Process::serve(data_dir, &settings).await
    }

    /// The folder.
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(database) = self.postgres.take() {
            database.remove_blocking();
        }
    }
}
