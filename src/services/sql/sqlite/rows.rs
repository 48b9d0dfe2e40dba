//! A transaction, as the operations of the store see it.
//!
//! One implementation of the traits in [`rows`](crate::services::sql::rows) serves the writer's connection, which is
//! lent for a job, and snapshots, which own theirs.

use std::ops::DerefMut;

use sqlx::SqliteConnection;

/// A transaction on the connection that `C` holds.
#[derive(Debug)]
pub struct SqliteRows<C> {
    connection: C,
}

impl<C> SqliteRows<C>
where
    C: DerefMut<Target = SqliteConnection>,
{
    /// What can be done within the transaction that is open on the connection.
    pub(super) const fn new(connection: C) -> Self {
        Self { connection }
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
