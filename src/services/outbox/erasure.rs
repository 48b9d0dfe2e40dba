//! Removing what waits in this instance of a user who is erased. What it was to be charged is charged.

use super::{Inner, Outbox, OutboxEntry};
use crate::models::ids::UserId;
use crate::services::conversations::StoreError;
use crate::utils::errors::ApiError;

impl Outbox {
    /// Removes what waits in this instance of a user, dead letters included, and tells how much that was. The table is not
    /// this one's affair.
    ///
    /// # Errors
    /// A failing database or disk. What was charged until then is not charged again when this is repeated.
    pub async fn forget(&self, user: UserId) -> Result<u64, ApiError> {
        let inner = &self.0;
        let waiting = inner.journal.entries();
        let waiting: Vec<_> = waiting
            .into_iter()
            .filter(|entry| entry.user_id() == user)
            .collect();
        for entry in &waiting {
            inner.charge(entry).await?;
        }
        let ids: Vec<_> = waiting.iter().map(|entry| entry.id()).collect();
        let mut forgotten = ids.len() as u64;
        inner.journal.remove(ids).await.map_err(ApiError::internal)?;
        let homeless = inner.homeless().clone();
        for entry in homeless.iter().filter(|entry| entry.user_id() == user) {
            inner.charge(entry).await?;
            inner.homeless().retain(|kept| kept.id() != entry.id());
            forgotten += 1;
        }
        let (entries, letters) = inner.journal.dead_of(user).map_err(ApiError::internal)?;
        for entry in &entries {
            inner.charge(entry).await?;
        }
        if letters > 0 {
            inner
                .journal
                .forget_dead(user)
                .await
                .map_err(ApiError::internal)?;
        }
        inner.show();
        Ok(forgotten + letters)
    }
}

impl Inner {
    async fn charge(&self, entry: &OutboxEntry) -> Result<(), ApiError> {
        let charged = self.ledger.record(entry.usage_event()).await;
        Ok(charged.map_err(StoreError::from)?)
    }
}
