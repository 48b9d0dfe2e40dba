//! Stamps: what the entries of an area of a user are found by in this process, until something in it changes.

use std::sync::atomic::{AtomicU64, Ordering};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::Owner;

/// The stamp of each area of each user. No stamp is given out twice, so that forgetting one, for whatever reason, only ever hides
/// entries.
#[derive(Debug)]
pub(super) struct Stamps {
    by_owner: Cache<Owner, u64>,
    next: AtomicU64,
}

impl Stamps {
    /// For so many areas of users at once; those who have not been seen for the longest time get a new one.
    pub(super) fn new(areas: u64) -> Self {
        Self {
            by_owner: Cache::builder()
                .max_capacity(areas)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            next: AtomicU64::new(0),
        }
    }

    /// The stamp. Who loads under it begins after everything that was forgotten before.
    pub(super) fn of(&self, owner: Owner) -> u64 {
        self.by_owner
            .get_with(owner, || self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes the entries unreachable.
    pub(super) fn forget(&self, owner: Owner) {
        self.by_owner.invalidate(&owner);
    }
}
