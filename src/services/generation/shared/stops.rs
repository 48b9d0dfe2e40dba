//! Asking whichever instance produces an answer to stop.

use uuid::Uuid;

use super::logs::{LogName, SharedLogs};
use crate::models::ids::{StreamId, UserId};
use crate::services::redis::{PREFIX, RedisFailure, Subscription};

/// Requests that wait for this instance.
const CAPACITY: usize = 1_024;

fn channel() -> String {
    format!("{PREFIX}stop")
}

impl SharedLogs {
    /// Asks whoever produces this answer to stop.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn ask_to_stop(&self, name: LogName) -> Result<(), RedisFailure> {
        let payload = [*name.user.0.as_bytes(), *name.stream.0.as_bytes()].concat();
        self.redis().publish(&channel(), &payload).await
    }

    /// What is asked to stop, as payloads for [`asked_to_stop`].
    #[must_use]
    pub fn stops(&self) -> Subscription {
        self.redis().subscribe(&channel(), CAPACITY)
    }
}

/// Which answer is asked to stop; `None` if that was not said by this service.
pub(in crate::services::generation) fn asked_to_stop(payload: &[u8]) -> Option<LogName> {
    let (user, stream) = payload.split_at_checked(16)?;
    Some(LogName {
        user: UserId(Uuid::from_slice(user).ok()?),
        stream: StreamId(Uuid::from_slice(stream).ok()?),
    })
}
