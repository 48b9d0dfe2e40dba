//! Which answers this process holds: running ones, and ended ones for as long as they can be replayed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::handle::Generation;
use super::turn::Kind;
use crate::models::ids::{ConversationId, StreamId, UserId};

/// The answers in memory. The lock is held for a look-up, never across an await.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    held: HashMap<StreamId, Arc<Generation>>,
    /// The running answers of a conversation, the newest last.
    running: HashMap<ConversationId, Vec<StreamId>>,
    /// Ended answers, in the order of their ends.
    ended: VecDeque<(Instant, StreamId)>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, generation: &Arc<Generation>) {
        let mut inner = self.lock();
        inner.held.insert(generation.id, generation.clone());
        if let Kind::Conversation(turn) = &generation.kind {
            inner
                .running
                .entry(turn.conversation_id)
                .or_default()
                .push(generation.id);
        }
    }

    /// Moves an answer from the running to the ended ones.
    pub(super) fn ended(&self, generation: &Generation) {
        let mut inner = self.lock();
        if let Kind::Conversation(turn) = &generation.kind
            && let Some(running) = inner.running.get_mut(&turn.conversation_id)
        {
            running.retain(|id| *id != generation.id);
            if running.is_empty() {
                inner.running.remove(&turn.conversation_id);
            }
        }
        if inner.held.contains_key(&generation.id) {
            inner.ended.push_back((Instant::now(), generation.id));
        }
    }

    /// An answer of this user, unless it is withdrawn.
    pub(super) fn get(&self, user: UserId, id: StreamId) -> Option<Arc<Generation>> {
        self.held(id)
            .filter(|generation| generation.user_id == user && !generation.is_refused())
    }

    /// The answer, whosever it is.
    pub(super) fn held(&self, id: StreamId) -> Option<Arc<Generation>> {
        self.lock().held.get(&id).cloned()
    }

    /// All answers.
    pub(super) fn all(&self) -> Vec<Arc<Generation>> {
        self.lock().held.values().cloned().collect()
    }

    /// Whether any answer of a conversation is being produced.
    pub(super) fn has_running(&self) -> bool {
        !self.lock().running.is_empty()
    }

    /// The answer of a conversation that was begun last and still runs.
    pub(super) fn running_in(&self, user: UserId, conversation: ConversationId) -> Option<Arc<Generation>> {
        let running = self.all_running_in(user, conversation);
        running.into_iter().rfind(|generation| !generation.is_refused())
    }

    /// All answers of a conversation that still run.
    pub(super) fn all_running_in(&self, user: UserId, conversation: ConversationId) -> Vec<Arc<Generation>> {
        let inner = self.lock();
        let ids = inner.running.get(&conversation).into_iter().flatten();
        ids.filter_map(|id| inner.held.get(id))
            .filter(|generation| generation.user_id == user)
            .cloned()
            .collect()
    }

    /// All running answers of conversations.
    pub(super) fn running(&self) -> Vec<Arc<Generation>> {
        let inner = self.lock();
        inner
            .running
            .values()
            .flatten()
            .filter_map(|id| inner.held.get(id))
            .cloned()
            .collect()
    }

    /// The answer whose log holds the most, of those of which something can be forgotten.
    pub(super) fn largest(&self) -> Option<Arc<Generation>> {
        self.lock()
            .held
            .values()
            .max_by_key(|generation| generation.log.trimmable())
            .cloned()
    }

    /// Forgets what ended longer ago than `retention`.
    pub(super) fn forget_expired(&self, retention: Duration) {
        let mut forgotten = Vec::new();
        let mut inner = self.lock();
        while let Some(generation) = inner.pop_ended(retention) {
            forgotten.push(generation);
        }
        // Logs are freed outside the lock.
        drop(inner);
    }

    /// The answers of a user that have not ended.
    pub(super) fn running_of(&self, user: UserId) -> Vec<Arc<Generation>> {
        let mut running = self.all();
        running.retain(|generation| generation.user_id == user && generation.ending().is_none());
        running
    }

    /// Forgets the answers of a user that have ended.
    pub(super) fn forget_user(&self, user: UserId) {
        let is_over = |generation: &Arc<Generation>| generation.user_id == user && generation.log.has_ended();
        let forgotten: Vec<_> = self
            .lock()
            .held
            .extract_if(|_, generation| is_over(generation))
            .collect();
        for (_, generation) in &forgotten {
            // A reader that does not read must not keep it.
            generation.log.clear();
        }
    }

    /// Forgets the answer that ended first; false if there is none.
    pub(super) fn forget_oldest(&self) -> bool {
        let forgotten = self.lock().pop_ended(Duration::ZERO);
        if let Some(generation) = &forgotten {
            // A reader that does not read must not keep what is being given up.
            generation.log.clear();
        }
        forgotten.is_some()
    }
}

impl Inner {
    /// Takes out the answer that ended first, at least so long ago, and whose end is shown to its readers: until then they
    /// wait for it.
    fn pop_ended(&mut self, age: Duration) -> Option<Arc<Generation>> {
        let mut old = self.ended.iter().take_while(|(at, _)| at.elapsed() >= age);
        let is_over = |id| {
            self.held
                .get(id)
                .is_none_or(|generation| generation.log.has_ended())
        };
        let nth = old.position(|(_, id)| is_over(id))?;
        let (_, id) = self.ended.remove(nth)?;
        self.held.remove(&id)
    }
}
