//! Places in Redis: for each user the taken ones, each with the time at which it is free again if nobody keeps it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::Script;
use tokio::sync::Notify;

use super::Place;
use crate::models::ids::UserId;
use crate::services::redis::{PREFIX, Redis, RedisFailure};

/// How long a place is taken if nobody keeps it.
const TAKEN_FOR: Duration = Duration::from_secs(20);

/// How often places are kept.
pub(super) const KEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Places that are kept, or given back, in one exchange.
const AT_ONCE: usize = 500;

pub(super) struct SharedPlaces {
    redis: Redis,
    take: Script,
    keep: Script,
    /// Places that were dropped, and are to be given back.
    dropped: Mutex<Vec<Place>>,
    queued: Notify,
}

impl SharedPlaces {
    pub(super) fn new(redis: &Redis) -> Self {
        Self {
            redis: redis.clone(),
            take: Script::new(include_str!("take.lua")),
            keep: Script::new(include_str!("keep.lua")),
            dropped: Mutex::default(),
            queued: Notify::new(),
        }
    }

    /// Takes a place; false if the user has no more.
    ///
    /// # Errors
    /// If Redis does not answer; whether it is taken is unknown then.
    pub(super) async fn take(&self, place: Place, limit: usize) -> Result<bool, RedisFailure> {
        let mut call = self.take.key(key(place.user));
        call.arg(member(place)).arg(limit).arg(millis(TAKEN_FOR));
        self.redis.run(&call).await
    }

    /// Keeps places; those that Redis does not take are tried again the next time.
    pub(super) async fn keep(&self, places: &[Place]) {
        for places in places.chunks(AT_ONCE) {
            let mut call = self.keep.prepare_invoke();
            call.arg(millis(TAKEN_FOR));
            for place in places {
                call.key(key(place.user)).arg(member(*place));
            }
            if let Err(failure) = self.redis.run::<()>(&call).await {
                tracing::debug!(%failure, "places of users cannot be kept just now");
                return;
            }
        }
    }

    /// Gives places back.
    ///
    /// # Errors
    /// If Redis does not answer; they are free again after a while.
    pub(super) async fn give_back(&self, places: &[Place]) -> Result<(), RedisFailure> {
        let mut removals = redis::Pipeline::with_capacity(places.len());
        for place in places {
            removals.zrem(key(place.user), member(*place)).ignore();
        }
        self.redis.query_all(&removals).await
    }

    /// Has a place given back soon.
    pub(super) fn queue(&self, place: Place) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.push(place);
        drop(dropped);
        self.queued.notify_one();
    }

    /// Waits until something is queued.
    pub(super) async fn queued(&self) {
        self.queued.notified().await;
    }

    /// Gives back what is queued.
    pub(super) async fn give_back_queued(&self) {
        let dropped = std::mem::take(&mut *self.dropped.lock().unwrap_or_else(PoisonError::into_inner));
        for places in dropped.chunks(AT_ONCE) {
            // What Redis does not take is free again after a while.
            self.give_back(places).await.ok();
        }
    }
}

fn key(user: UserId) -> String {
    format!("{PREFIX}places:{user}")
}

fn member(place: Place) -> String {
    place.id.simple().to_string()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
