//! The one writer of the SQLite database.
//!
//! SQLite has one write lock. Instead of letting connections fight for it, every write is a job for one task
//! that owns one connection. Jobs that wait together are committed together: each runs in a savepoint of its
//! own, so that one that fails leaves the others untouched, and nobody is told of success before the commit.
//! A caller that goes away does not stop its job in the middle.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::utils::database::DatabaseError;

/// Jobs that may wait for the writer; past that, callers wait for a place.
const QUEUE: usize = 1_024;

/// Jobs in one commit.
const MAX_BATCH: usize = 128;

/// How long a caller waits for a place in the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// Hands jobs to the writing task. Cheap to clone; the task ends when all clones are gone.
#[derive(Debug, Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the task on a connection of its own.
    pub fn start(connection: SqliteConnection, tracker: &TaskTracker) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        tracker.spawn(run(connection, queue));
        Self { jobs }
    }

    /// Whether the task still writes.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.jobs.is_closed()
    }

    /// Runs `work` in a transaction and returns once it is committed. An error rolls it back.
    ///
    /// # Errors
    /// What `work` failed with, or why it could not be run or committed.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(TypedJob {
            work: Some(work),
            result: None,
            reply,
        });
        match tokio::time::timeout(QUEUE_TIMEOUT, self.jobs.reserve()).await {
            Ok(Ok(place)) => place.send(job),
            Ok(Err(_)) => return Err(DatabaseError::Closed.into()),
            Err(_) => return Err(DatabaseError::QueueFull.into()),
        }
        answer.await.unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }
}

#[async_trait]
trait Job: Send {
    /// Does the work; tells whether to keep it.
    async fn run(&mut self, connection: &mut SqliteConnection) -> bool;

    /// Tells the caller, once it is known whether the commit held.
    fn finish(self: Box<Self>, committed: Result<(), DatabaseError>);
}

struct TypedJob<T, E, F> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

#[async_trait]
impl<T, E, F> Job for TypedJob<T, E, F>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send,
    T: Send,
    E: From<DatabaseError> + Send,
{
    async fn run(&mut self, connection: &mut SqliteConnection) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        // A fault in one job must not end the writing of all others.
        let result = AssertUnwindSafe(work(connection)).catch_unwind().await;
        let result = result.unwrap_or_else(|_| Err(DatabaseError::Panicked.into()));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn finish(self: Box<Self>, committed: Result<(), DatabaseError>) {
        let result = match (self.result, committed) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Ok(_)), Err(error)) => Err(error.into()),
            (None, committed) => Err(committed.err().unwrap_or(DatabaseError::Closed).into()),
        };
        // The caller may have gone away; its work is done all the same.
        let _ = self.reply.send(result);
    }
}

async fn run(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while queue.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let committed = commit(&mut connection, &mut batch)
            .await
            .map_err(|error| DatabaseError::Database(Arc::new(error)));
        if let Err(error) = &committed {
            tracing::error!(%error, jobs = batch.len(), "a commit failed");
            // Leaves no transaction open behind a failed BEGIN or COMMIT; without one this is refused, rightly.
            let _ = sqlx::query("ROLLBACK").execute(&mut connection).await;
        }
        for job in batch.drain(..) {
            job.finish(committed.clone());
        }
    }
    // The last handle is gone: the write-ahead log goes into the file, so that a copy of the file alone is whole.
    let emptied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await;
    if let Err(error) = emptied.map(drop).and(connection.close().await) {
        tracing::warn!(%error, "the write-ahead log stays beside the database");
    }
}

async fn commit(connection: &mut SqliteConnection, batch: &mut [Box<dyn Job>]) -> sqlx::Result<()> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    for job in batch {
        sqlx::query("SAVEPOINT job").execute(&mut *connection).await?;
        if !job.run(connection).await {
            sqlx::query("ROLLBACK TO job").execute(&mut *connection).await?;
        }
        sqlx::query("RELEASE job").execute(&mut *connection).await?;
    }
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};

    async fn writer() -> Writer {
        let mut connection = SqliteConnectOptions::new()
            .in_memory(true)
            .connect()
            .await
            .expect("a database");
        sqlx::query("CREATE TABLE t (n INTEGER PRIMARY KEY)")
            .execute(&mut connection)
            .await
            .expect("a table");
        Writer::start(connection, &TaskTracker::new())
    }

    async fn insert(writer: &Writer, n: i64) -> Result<(), DatabaseError> {
        writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO t VALUES (?1)")
                        .bind(n)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn rows(writer: &Writer) -> Vec<i64> {
        let rows = writer.write(|connection| {
            Box::pin(async move {
                let rows: Vec<(i64,)> = sqlx::query_as("SELECT n FROM t ORDER BY n")
                    .fetch_all(connection)
                    .await?;
                Ok::<_, DatabaseError>(rows)
            })
        });
        rows.await.expect("rows").into_iter().map(|(n,)| n).collect()
    }

    #[tokio::test]
    async fn a_job_that_fails_or_panics_leaves_the_others_alone() {
        let writer = writer().await;
        let failing = writer.write(|connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO t VALUES (90)")
                    .execute(connection)
                    .await?;
                Err::<(), _>(DatabaseError::corrupt("row", "on purpose"))
            })
        });
        let panicking = writer.write(|connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO t VALUES (91)")
                    .execute(connection)
                    .await?;
                if rows_are_few() {
                    panic!("on purpose");
                }
                Ok::<(), DatabaseError>(())
            })
        });
        // All of them wait together, so that they share a commit.
        let (first, failed, panicked, duplicate, last) = tokio::join!(
            insert(&writer, 1),
            failing,
            panicking,
            insert(&writer, 1),
            insert(&writer, 2),
        );
        assert!(first.is_ok() && last.is_ok());
        assert!(failed.is_err() && panicked.is_err() && duplicate.is_err());
        assert_eq!(rows(&writer).await, [1, 2]);
        assert!(writer.is_alive());
    }

    /// Keeps the compiler from seeing that the rest of the job is never reached.
    fn rows_are_few() -> bool {
        std::hint::black_box(true)
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_does_not_stop_its_job() {
        let writer = writer().await;
        drop(tokio::time::timeout(Duration::ZERO, insert(&writer, 7)).await);
        insert(&writer, 8).await.expect("written");
        assert_eq!(rows(&writer).await, [7, 8]);
    }
}
