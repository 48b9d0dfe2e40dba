//! Whether an account is suspended, remembered for a moment.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::{AccountRecords, Refusal};
use crate::models::ids::UserId;

/// How long an answer is remembered. With [`READ_WITHIN`] it stays below the five seconds within which an account that was
/// suspended is refused by all instances.
const REMEMBERED_FOR: Duration = Duration::from_millis(2_500);

/// How long the database may take to tell: requests wait for it.
const READ_WITHIN: Duration = Duration::from_millis(500);

/// Who is suspended.
pub(super) struct Standing {
    records: Arc<dyn AccountRecords>,
    known: Cache<UserId, bool>,
}

impl Standing {
    /// Remembers at most so many users.
    pub(super) fn new(records: Arc<dyn AccountRecords>, remembered: u64) -> Self {
        Self {
            records,
            known: Cache::builder()
                .max_capacity(remembered)
                .time_to_live(REMEMBERED_FOR)
                .build(),
        }
    }

    /// Refuses a user whose account is suspended. While the database does not tell, nobody is: whatever costs something asks
    /// it again, and is refused then.
    pub(super) async fn check(&self, user: UserId) -> Result<(), Refusal> {
        let ask = async {
            let asking = tokio::time::timeout(READ_WITHIN, self.records.is_suspended(user));
            asking.await.is_ok_and(|told| told.unwrap_or(false))
        };
        if self.known.get_with(user, ask).await {
            return Err(Refusal::Suspended);
        }
        Ok(())
    }

    pub(super) fn remembered(&self) -> u64 {
        self.known.entry_count()
    }
}
