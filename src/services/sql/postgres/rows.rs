//! A transaction, as the operations of the store see it.

use sqlx::{PgConnection, Postgres, Transaction};

/// A transaction. Dropped without a commit, it has done nothing.
#[derive(Debug)]
pub struct PostgresRows {
    transaction: Transaction<'static, Postgres>,
}

impl PostgresRows {
    pub(super) const fn new(transaction: Transaction<'static, Postgres>) -> Self {
        Self { transaction }
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Ends the transaction, and keeps what was done if that is wanted.
    pub(super) async fn end(self, keep: bool) -> sqlx::Result<()> {
        if keep {
            self.transaction.commit().await
        } else {
            self.transaction.rollback().await
        }
    }
}
