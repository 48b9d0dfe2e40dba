//! Stamps: what a user's entries in this process are found by, until something of that user changes.

use std::sync::atomic::{AtomicU64, Ordering};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::models::ids::UserId;

/// The stamp of each user. No stamp is given out twice, so that forgetting one, for whatever reason, only ever hides
/// entries.
#[derive(Debug)]
pub(super) struct Stamps {
    by_user: Cache<UserId, u64>,
    next: AtomicU64,
}

impl Stamps {
    /// For so many users at once; those who have not been seen for the longest time get a new one.
    pub(super) fn new(users: u64) -> Self {
        Self {
            by_user: Cache::builder()
                .max_capacity(users)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            next: AtomicU64::new(0),
        }
    }

    /// The user's stamp. Who loads under it begins after everything that was forgotten before.
    pub(super) fn of(&self, user: UserId) -> u64 {
        self.by_user
            .get_with(user, || self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes the user's entries unreachable.
    pub(super) fn forget(&self, user: UserId) {
        self.by_user.invalidate(&user);
    }
}
