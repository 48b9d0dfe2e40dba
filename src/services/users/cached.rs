//! A store of profiles with a cache in front: each chat asks for one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::{ProfileStore, User, UserChanges};
use crate::models::ids::UserId;
use crate::services::auth::Caller;
use crate::services::cache::{Area, Cache, Namespace};
use crate::utils::database::DatabaseError;

/// A store of profiles with a cache in front.
pub struct CachedProfiles {
    store: Arc<dyn ProfileStore>,
    cache: Cache,
    ttl: Duration,
    tracker: TaskTracker,
}

/// Users, each under their own id.
struct Profiles(Duration);

impl Namespace for Profiles {
    type Key = ();
    type Value = User;
    const NAME: &'static str = "profile";
    const VERSION: u8 = 1;
    const AREA: Area = Area::Profile;

    fn ttl(&self) -> Duration {
        self.0
    }
}

impl CachedProfiles {
    /// Keeps what it reads for `ttl` at most. Writes run on the tracker.
    #[must_use]
    pub fn new(store: Arc<dyn ProfileStore>, cache: Cache, ttl: Duration, tracker: TaskTracker) -> Self {
        Self {
            store,
            cache,
            ttl,
            tracker,
        }
    }

    /// Writes, and then invalidates what is kept of the user; both go on if the caller goes away.
    async fn write<F>(
        &self,
        user: UserId,
        write: impl FnOnce(Arc<dyn ProfileStore>) -> F,
    ) -> Result<User, DatabaseError>
    where
        F: Future<Output = Result<User, DatabaseError>> + Send + 'static,
    {
        let (write, cache) = (write(self.store.clone()), self.cache.clone());
        let job = async move {
            let result = write.await;
            cache.invalidate(user, Area::Profile).await;
            result
        };
        match self.tracker.spawn(job.in_current_span()).await {
            Ok(result) => result,
            Err(ended) => {
                self.cache.invalidate(user, Area::Profile).await;
                Err(if ended.is_panic() {
                    DatabaseError::Panicked
                } else {
                    DatabaseError::Closed
                })
            }
        }
    }
}

#[async_trait]
impl ProfileStore for CachedProfiles {
    async fn find(&self, user: UserId) -> Result<Option<User>, DatabaseError> {
        let load = || self.store.find(user);
        self.cache.get_or_load(&Profiles(self.ttl), user, &(), load).await
    }

    async fn provision(&self, caller: &Caller) -> Result<User, DatabaseError> {
        let known = self.find(caller.user_id).await?;
        let is_current =
            |user: &User| caller.email.is_none() || user.email.as_deref() == caller.email.as_deref();
        if let Some(user) = known.filter(is_current) {
            return Ok(user);
        }
        let caller = caller.clone();
        self.write(
            caller.user_id,
            |store| async move { store.provision(&caller).await },
        )
        .await
    }

    async fn update(&self, caller: &Caller, changes: UserChanges) -> Result<User, DatabaseError> {
        let caller = caller.clone();
        self.write(caller.user_id, |store| async move {
            store.update(&caller, changes).await
        })
        .await
    }
}
