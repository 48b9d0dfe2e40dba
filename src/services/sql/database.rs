//! A SQL database: how its transactions begin and end.

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::rows::Rows;
use crate::models::ids::InstanceId;
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;

/// A SQL database. Cheap to clone.
#[async_trait]
pub trait SqlDatabase: Clone + Send + Sync + 'static {
    /// A transaction that reads one state of the database, however long it takes, and changes nothing.
    type Snapshot: Rows;

    /// What it is, for `/health`.
    fn name(&self) -> &'static str;

    /// Time and ids.
    fn clock(&self) -> &Clock;

    /// The instance that uses it.
    fn instance(&self) -> InstanceId;

    /// Begins to read.
    ///
    /// # Errors
    /// A failing database, or no free connection in time.
    async fn snapshot(&self) -> Result<Self::Snapshot, DatabaseError>;

    /// Runs `work` in a transaction and returns once it is committed. An error rolls it back. A caller that goes away
    /// leaves all of it done or nothing.
    ///
    /// # Errors
    /// What `work` failed with, or why it could not be run or committed.
    async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut dyn Rows) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static;

    /// Overwrites what files may still hold of users who were erased, in steps that hold up nobody.
    ///
    /// # Errors
    /// A failing database; what was not overwritten then is the next time.
    async fn scrub(&self) -> Result<(), DatabaseError>;
}
