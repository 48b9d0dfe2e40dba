//! The places of users: how many answers each may have written at once (`MAX_CONCURRENT_STREAMS_PER_USER`).
//!
//! They are counted here, and, while Redis is up, over all instances. A place in Redis is taken for a while and kept as long
//! as the answer is written, so that those of an instance that died are free again soon.
//!
//! - [`Places`]: takes and keeps them
//! - `shared`: those in Redis

mod shared;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::shared::SharedPlaces;
use crate::models::ids::UserId;
use crate::services::redis::Redis;
use crate::utils::clock::Clock;

/// One place of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    user: UserId,
    id: Uuid,
}

/// The places that are taken.
pub(super) struct Places {
    taken: Mutex<HashMap<UserId, Vec<Uuid>>>,
    shared: Option<SharedPlaces>,
    clock: Clock,
}

impl Places {
    pub(super) fn new(redis: Option<&Redis>, clock: Clock) -> Self {
        Self {
            taken: Mutex::default(),
            shared: redis.map(SharedPlaces::new),
            clock,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Uuid>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one of a user's places; `None` if all `limit` are taken. Takes no longer than one operation of Redis may.
    pub(super) async fn take(self: &Arc<Self>, user: UserId, limit: usize) -> Option<Admission> {
        let mut admission = self.take_here(user, limit)?;
        if let Some(shared) = &self.shared {
            // From here on it may be taken there, too, even if nobody waits for the reply any more.
            admission.shared = true;
            // What Redis does not tell counts in this instance alone.
            let is_free = shared.take(admission.place, limit).await.unwrap_or(true);
            admission.shared = is_free;
            return is_free.then_some(admission);
        }
        Some(admission)
    }

    fn take_here(self: &Arc<Self>, user: UserId, limit: usize) -> Option<Admission> {
        let place = Place {
            user,
            id: self.clock.uuid(),
        };
        let mut taken = self.lock();
        let of_user = taken.entry(user).or_default();
        if of_user.len() >= limit {
            return None;
        }
        of_user.push(place.id);
        drop(taken);
        Some(Admission {
            places: self.clone(),
            place,
            shared: false,
        })
    }

    fn give_back_here(&self, place: Place) {
        let mut taken = self.lock();
        if let Some(of_user) = taken.get_mut(&place.user) {
            of_user.retain(|id| *id != place.id);
            if of_user.is_empty() {
                taken.remove(&place.user);
            }
        }
    }

    fn is_taken(&self, place: Place) -> bool {
        let taken = self.lock();
        taken
            .get(&place.user)
            .is_some_and(|of_user| of_user.contains(&place.id))
    }

    fn all(&self) -> Vec<Place> {
        let taken = self.lock();
        let places = taken
            .iter()
            .flat_map(|(user, ids)| ids.iter().map(|id| Place { user: *user, id: *id }));
        places.collect()
    }

    /// Keeps in Redis what is taken, and gives back what is not any more, until `stop` is cancelled.
    pub(super) async fn keep(&self, stop: &CancellationToken) {
        let Some(shared) = &self.shared else {
            return;
        };
        let keep = async {
            let mut due = Instant::now() + shared::KEEP_INTERVAL;
            loop {
                let is_queued = tokio::time::timeout_at(due, shared.queued()).await.is_ok();
                if is_queued {
                    shared.give_back_queued().await;
                }
                // However many are given back, those that are taken are kept in time.
                if Instant::now() < due {
                    continue;
                }
                due = Instant::now() + shared::KEEP_INTERVAL;
                let places = self.all();
                shared.keep(&places).await;
                // What was given back meanwhile may have been taken again by this.
                for place in places.into_iter().filter(|place| !self.is_taken(*place)) {
                    shared.queue(place);
                }
            }
        };
        stop.run_until_cancelled(keep).await;
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").finish_non_exhaustive()
    }
}

/// A user's place for one answer; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    places: Arc<Places>,
    place: Place,
    /// It is taken in Redis, too.
    shared: bool,
}

impl Admission {
    /// Gives it back. All instances know of that when this returns, if they can.
    pub(crate) async fn give_back(mut self) {
        if let Some(shared) = self.places.shared.as_ref().filter(|_| self.shared) {
            // What Redis does not take is free again after a while.
            shared.give_back(&[self.place]).await.ok();
            self.shared = false;
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.places.give_back_here(self.place);
        if let Some(shared) = self.places.shared.as_ref().filter(|_| self.shared) {
            shared.queue(self.place);
        }
    }
}
