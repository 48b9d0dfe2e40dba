//! Whether an answer that another instance produces will come at all.

use std::time::Duration;

use tokio::time::Instant;

use super::RemoteReader;
use crate::models::message::MessageStatus;
use crate::services::generation::core::unavailable;
use crate::services::generation::records::Checkpoint;
use crate::utils::errors::ApiError;

/// How often that is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The id of the event that opens a stream before the model has said anything.
const OPENING: u64 = 1;

impl RemoteReader {
    /// Waits until there is more of the stream than its opening, or it has ended; at most so long.
    ///
    /// # Errors
    /// What the model refused the answer with, or a failing database.
    pub async fn opened(&self, limit: Duration) -> Result<(), ApiError> {
        let deadline = Instant::now() + limit;
        loop {
            let record = self.core.records.generation(self.user, self.stream).await;
            match record.map_err(unavailable)? {
                Some(record) if record.status == MessageStatus::Streaming => {}
                Some(record) if !record.has_message => {
                    return Err(record.error.unwrap_or_else(|| self.error()));
                }
                _ => return Ok(()),
            }
            if self.has_begun().await? || Instant::now() >= deadline {
                return Ok(());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn has_begun(&self) -> Result<bool, ApiError> {
        if let Some(tail) = &self.tail
            && tail.newest().await.is_some_and(|newest| newest > OPENING)
        {
            return Ok(true);
        }
        let checkpoints = self.core.records.checkpoints(self.stream, OPENING + 1).await;
        let last = checkpoints.map_err(unavailable)?.last().map(Checkpoint::end);
        Ok(last.is_some_and(|end| end > OPENING + 1))
    }
}
