//! Where the state of each key is kept: as long as it says anything, and for a bounded number of keys.

use std::hash::Hash;
use std::sync::Arc;

use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::Quota;

/// Keys remembered at a time, some 200 bytes each. What is over it pushes out the key that was not used for longest,
/// which is then as good as new.
const MAX_KEYS: u64 = 100_000;

/// The state of each key. `governor`'s own stores have no bound, and a lock around all keys.
pub(super) struct BoundedStates<K>(Cache<K, Arc<InMemoryState>>);

impl<K: Hash + Eq + Clone + Send + Sync + 'static> BoundedStates<K> {
    /// No states. One is forgotten when it was not used for the time that makes any key as good as new.
    pub(super) fn new(quota: Quota) -> Self {
        Self::with_capacity(quota, MAX_KEYS)
    }

    fn with_capacity(quota: Quota, keys: u64) -> Self {
        // Not the cache's usual policy: that keeps new keys out while others are used more often.
        let cache = Cache::builder()
            .max_capacity(keys)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(quota.refill_time())
            .build();
        Self(cache)
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> StateStore for BoundedStates<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let state = self.0.get_with_by_ref(key, Arc::default);
        state.measure_and_replace(&NotKeyed::NonKey, measure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(states: &BoundedStates<u64>, key: u64) {
        let counted: Result<(), ()> = states.measure_and_replace(&key, |_| Ok(((), Nanos::new(1))));
        counted.expect("counted");
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let states = BoundedStates::with_capacity(Quota::per_minute(1, 1), 10);
        for key in 0..1000 {
            touch(&states, key);
        }
        states.0.run_pending_tasks();
        assert_eq!(states.0.entry_count(), 10);
        assert!(states.0.contains_key(&999), "the newest are kept");
    }

    #[test]
    fn a_key_is_forgotten_when_it_is_as_good_as_new() {
        let states = BoundedStates::new(Quota::per_minute(60_000, 1));
        touch(&states, 1);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while states.0.contains_key(&1) {
            assert!(std::time::Instant::now() < deadline, "it is kept for good");
            std::thread::yield_now();
        }
        states.0.run_pending_tasks();
        assert_eq!(states.0.entry_count(), 0);
    }
}
