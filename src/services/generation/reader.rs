//! A reader of an answer, wherever that is produced.

use std::time::Duration;

use super::handle::{Next, Subscription};
use super::remote::RemoteReader;
use crate::models::ids::StreamId;

/// A reader of an answer. Dropping it before the end is a disconnect.
#[derive(Debug)]
pub enum Reader {
    /// This instance produces it, or has its log.
    Here(Subscription),
    /// Another does.
    Elsewhere(Box<RemoteReader>),
}

impl Reader {
    /// The stream that it reads.
    #[must_use]
    pub fn id(&self) -> StreamId {
        match self {
            Self::Here(subscription) => subscription.generation().id,
            Self::Elsewhere(remote) => remote.id(),
        }
    }

    /// How long the model was waited for until its first chunk, if that has come and is known here.
    #[must_use]
    pub fn waited(&self) -> Option<Duration> {
        match self {
            Self::Here(subscription) => subscription.generation().waited(),
            Self::Elsewhere(_) => None,
        }
    }

    /// The next events, at once if there are any, else when there are, but no later than `patience` from now.
    pub async fn next(&mut self, patience: Duration) -> Next {
        match self {
            Self::Here(subscription) => subscription.next(patience).await,
            Self::Elsewhere(remote) => remote.next(patience).await,
        }
    }
}
