//! Requests that are sent more than once with one `Idempotency-Key`: they get one answer.
//!
//! The store decides which of them is the first, across instances. Within an instance they come one after the other until
//! then, so that one of them takes the user's place for an answer and the others find that answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

use super::{ChatAnswer, ChatService, HEAD_WAIT, whole};
use crate::models::ids::{StreamId, UserId};
use crate::services::conversations::StoreError;
use crate::services::generation::Reader;
use crate::utils::errors::ApiError;

/// Entries before those are looked for that nobody uses any more.
const TIDY_ABOVE: usize = 1_024;

type Turns = HashMap<(UserId, Arc<str>), Weak<tokio::sync::Mutex<()>>>;

/// Whose turn it is, of the requests with one key.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<Turns>);

/// A request's turn; the next begins when it is dropped.
pub(super) type RepeatTurn = OwnedMutexGuard<()>;

impl Repeats {
    /// Waits for the requests before this one with the same key.
    pub(super) async fn turn(&self, user: UserId, key: &Arc<str>) -> RepeatTurn {
        self.queue(user, key).lock_owned().await
    }

    fn queue(&self, user: UserId, key: &Arc<str>) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() > TIDY_ABOVE {
            turns.retain(|_, queue| queue.strong_count() > 0);
        }
        let known = turns.entry((user, key.clone())).or_default();
        if let Some(queue) = known.upgrade() {
            return queue;
        }
        let queue = Arc::default();
        *known = Arc::downgrade(&queue);
        queue
    }
}

impl ChatService {
    /// The answer to a request that came before, wherever it is produced.
    ///
    /// # Errors
    /// If it was deleted, or what its request was refused with.
    pub(super) async fn join(
        &self,
        user: UserId,
        stream_id: StreamId,
        streamed: bool,
    ) -> Result<ChatAnswer, ApiError> {
        let reader = self.engine.whole(user, stream_id).await?;
        match reader.ok_or(StoreError::ConversationNotFound)? {
            Reader::Here(reader) if streamed => {
                reader.generation().opened(HEAD_WAIT).await?;
                Ok(ChatAnswer::Stream(Reader::Here(reader)))
            }
            Reader::Elsewhere(reader) if streamed => {
                reader.opened(HEAD_WAIT).await?;
                Ok(ChatAnswer::Stream(Reader::Elsewhere(reader)))
            }
            Reader::Here(reader) => Ok(ChatAnswer::Whole {
                body: whole::answer(reader.generation()).await?,
                waited: reader.generation().waited(),
            }),
            Reader::Elsewhere(mut reader) => {
                let (turn, message) = reader.ended().await?;
                Ok(ChatAnswer::Whole {
                    body: whole::stored(&turn, &message)?,
                    waited: None,
                })
            }
        }
    }
}
