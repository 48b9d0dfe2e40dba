//! What instances ask of whichever of them produces an answer. It is said to all, and kept by nobody: who needs it says it
//! again.

use uuid::Uuid;

use super::logs::{LogName, SharedLogs};
use crate::models::ids::{StreamId, UserId};
use crate::services::redis::{PREFIX, RedisFailure, Subscription};

/// Requests that wait for this instance.
const CAPACITY: usize = 1_024;

/// What is asked about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Stop it.
    Stop,
    /// Know that somebody reads it elsewhere.
    Read,
    /// Forget all ended answers of its user, whichever it is itself.
    Forget,
}

impl Request {
    const fn tag(self) -> u8 {
        match self {
            Self::Stop => b's',
            Self::Read => b'r',
            Self::Forget => b'f',
        }
    }

    const fn of(tag: u8) -> Option<Self> {
        match tag {
            b's' => Some(Self::Stop),
            b'r' => Some(Self::Read),
            b'f' => Some(Self::Forget),
            _ => None,
        }
    }
}

fn channel() -> String {
    format!("{PREFIX}requests")
}

impl SharedLogs {
    /// Asks whoever produces this answer.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn ask(&self, request: Request, name: LogName) -> Result<(), RedisFailure> {
        let mut payload = vec![request.tag(), u8::from(name.recorded)];
        payload.extend_from_slice(name.user.0.as_bytes());
        payload.extend_from_slice(name.stream.0.as_bytes());
        self.redis().publish(&channel(), &payload).await
    }

    /// What is asked, as payloads of messages.
    #[must_use]
    pub fn requests(&self) -> Subscription {
        self.redis().subscribe(&channel(), CAPACITY)
    }
}

/// What a message asks about which answer; `None` if it is none of this service.
pub(in crate::services::generation) fn asked(payload: &[u8]) -> Option<(Request, LogName)> {
    let ([tag, recorded], ids) = payload.split_first_chunk()?;
    let (user, stream) = ids.split_at_checked(16)?;
    let name = LogName {
        user: UserId(Uuid::from_slice(user).ok()?),
        stream: StreamId(Uuid::from_slice(stream).ok()?),
        recorded: *recorded != 0,
    };
    Some((Request::of(*tag)?, name))
}
