//! One serving instance for each PostgreSQL database.

use std::time::Duration;

use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connect::{OpenError, Server};

/// What the advisory lock is on, besides the schema: any number that is always the same.
const LOCK_CLASS: i32 = 0x6163_6f31;

/// How often a taken lock is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// How often a held lock is looked after.
const KEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How long the server may take to answer about it.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Why this process may not serve from the database.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another instance serves from it.
    #[error("another instance serves from {0}; stop it, or give this one another DATABASE_URL")]
    Taken(String),
    /// The database could not be asked.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Held by the serving instance for as long as it runs: a lock of a session, which the server frees when the process
/// ends, however it ends. Commands do not take it.
#[derive(Debug)]
pub struct InstanceLock {
    server: Server,
    session: PgConnection,
}

impl InstanceLock {
    /// Takes the lock, waiting up to `patience` for an instance that is about to stop.
    ///
    /// # Errors
    /// If the lock is still taken then, or the database cannot be asked.
    pub async fn acquire(url: &SecretString, patience: Duration) -> Result<Self, LockError> {
        let server = Server::new(url)?;
        let mut session = server.connect_session().await?;
        let deadline = Instant::now() + patience;
        let mut told = false;
        while !try_lock(&mut session)
            .await
            .map_err(|source| server.failed(source))?
        {
            if Instant::now() >= deadline {
                return Err(LockError::Taken(server.to_string()));
            }
            if !told {
                tracing::info!(
                    database = %server,
                    patience_seconds = patience.as_secs(),
                    "another instance serves from this database, waiting for it to stop"
                );
                told = true;
            }
            tokio::time::sleep(RETRY).await;
        }
        Ok(Self { server, session })
    }

    /// Holds the lock until `stop` is cancelled, and takes it again should its session end: a server that restarts
    /// forgets it.
    pub async fn keep(mut self, stop: CancellationToken) {
        while tokio::time::timeout(KEEP_INTERVAL, stop.cancelled())
            .await
            .is_err()
        {
            if !self.is_alive().await {
                self.retake().await;
            }
        }
        // Closed or broken, the session is over and the lock with it.
        let _ = tokio::time::timeout(ANSWER_WITHIN, self.session.close()).await;
    }

    async fn is_alive(&mut self) -> bool {
        let answered = tokio::time::timeout(ANSWER_WITHIN, self.session.ping()).await;
        matches!(answered, Ok(Ok(())))
    }

    /// One try; the next is [`KEEP_INTERVAL`] later.
    async fn retake(&mut self) {
        let mut session = match self.server.connect_session().await {
            Ok(session) => session,
            Err(error) => {
                tracing::warn!(%error, "the lock of this instance was lost with its session");
                return;
            }
        };
        match try_lock(&mut session).await {
            Ok(true) => {
                self.session = session;
                tracing::info!("the lock of this instance was lost with its session, and is taken again");
            }
            Ok(false) => tracing::error!("another instance took the lock of this one; stop one of them"),
            Err(error) => tracing::warn!(%error, "the lock of this instance was lost with its session"),
        }
    }
}

/// For each schema, so that several installations may share a database.
async fn try_lock(session: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let asked = sqlx::query_scalar(
        "SELECT pg_try_advisory_lock($1, oid::integer) FROM pg_namespace WHERE nspname = current_schema()",
    )
    .bind(LOCK_CLASS)
    .fetch_one(session);
    tokio::time::timeout(ANSWER_WITHIN, asked)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut))
}
