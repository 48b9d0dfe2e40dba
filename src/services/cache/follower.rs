//! Whether Redis may be served from, and what other instances have invalidated.
//!
//! Redis may have lost invalidations: those that could not be sent to it, and those that it forgot by a restart or a
//! failover. So at start, after every loss of the connection, after every invalidation that failed and for every instance
//! that died, an instance renews the epoch, which hides all entries from all instances. It then waits for a while, since others may have been
//! cut off longer and have invalidations that they could not send. Until then it serves nothing from Redis.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Owner;
use super::front::UNHEARD_TTL;
use super::remote::{Remote, channel};
use super::stamps::Stamps;
use crate::services::redis::{Availability, Notice, Subscription};

/// Between renewing the epoch and serving from Redis: twice as long as it takes to connect again.
const CAUTION: Duration = Duration::from_secs(2);

/// Between attempts to renew the epoch.
const RETRY: Duration = Duration::from_millis(200);

/// Invalidations that may wait; with more at once, everything in the process is forgotten instead.
const MAX_WAITING: usize = 4_096;

/// What is known of the other instances.
pub(super) struct Follower {
    remote: Remote,
    availability: watch::Receiver<Availability>,
    serving: Mutex<Option<Serving>>,
    next_session: AtomicU64,
    /// An invalidation may not have been sent.
    unsent: AtomicBool,
    unsent_changed: Notify,
}

/// A time in which Redis may be served from.
#[derive(Debug, Clone, Copy)]
struct Serving {
    session: u64,
    /// The losses of the connection at its beginning: with one more it is over.
    losses: u64,
    /// Up to when invalidations of others have been applied here.
    heard: Option<Instant>,
}

/// What may be believed at this moment, with Redis served from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    /// Changes whenever invalidations may have been missed.
    pub(super) number: u64,
    /// Whether others' invalidations arrive.
    pub(super) hearing: bool,
}

impl Follower {
    pub(super) fn new(remote: Remote) -> Self {
        Self {
            availability: remote.redis.availability(),
            remote,
            serving: Mutex::new(None),
            next_session: AtomicU64::new(0),
            unsent: AtomicBool::new(false),
            unsent_changed: Notify::new(),
        }
    }

    pub(super) const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The present session; `None` while Redis is not to be served from.
    pub(super) fn session(&self) -> Option<Session> {
        let serving = (*self.serving.lock().unwrap_or_else(PoisonError::into_inner))?;
        let now = self.availability.borrow();
        let unbroken = now.is_up() && now.losses() == serving.losses && !self.unsent.load(Ordering::Acquire);
        unbroken.then(|| Session {
            number: serving.session,
            hearing: serving.heard.is_some_and(|at| at.elapsed() < UNHEARD_TTL),
        })
    }

    /// Says that an invalidation may not have reached Redis: it is not served from until everything in it is hidden.
    pub(super) fn unsent(&self) {
        self.unsent.store(true, Ordering::Release);
        self.unsent_changed.notify_one();
    }

    /// Follows the other instances until `stop` is cancelled.
    pub(super) async fn run(self: Arc<Self>, stamps: Arc<Stamps>, stop: CancellationToken) {
        let mut others = Others {
            invalidated: self.remote.redis.subscribe(&channel(), MAX_WAITING),
            is_active: false,
        };
        let follow = async {
            loop {
                let losses = self.begin().await;
                others.apply_waiting(&self, &stamps);
                self.set(Some(Serving {
                    session: self.new_session(),
                    losses,
                    heard: None,
                }));
                tracing::info!("the cache in Redis is served from");
                self.follow(&mut others, &stamps).await;
                self.set(None);
                tracing::warn!("the cache in Redis is not served from");
            }
        };
        stop.run_until_cancelled(follow).await;
    }

    /// Hides what may be outdated; returns how often the connection was lost before.
    async fn begin(&self) -> u64 {
        let mut availability = self.availability.clone();
        loop {
            let up = availability.wait_for(Availability::is_up).await;
            let losses = up.map_or(0, |now| now.losses());
            // Before renewing: an invalidation that fails meanwhile may be one for the new epoch.
            self.unsent.store(false, Ordering::Release);
            if self.remote.renew_epoch().await.is_err() {
                sleep(RETRY).await;
            } else if timeout(CAUTION, self.unsent_changed.notified()).await.is_err() {
                return losses;
            }
        }
    }

    /// Applies what others invalidate, for as long as the session lasts.
    async fn follow(&self, others: &mut Others, stamps: &Stamps) {
        let mut availability = self.availability.clone();
        let mut heard = self.remote.redis.heard();
        while self.session().is_some() {
            tokio::select! {
                notice = others.invalidated.next() => others.apply(&notice, self, stamps),
                _ = heard.changed() => {
                    let at = *heard.borrow_and_update();
                    // What was heard up to then is waiting: once it is applied, that moment is behind us.
                    others.apply_waiting(self, stamps);
                    if others.is_active {
                        self.update(|serving| serving.heard = at);
                    }
                }
                _ = availability.changed() => {}
                () = self.unsent_changed.notified() => {}
            }
        }
    }

    fn new_session(&self) -> u64 {
        self.next_session.fetch_add(1, Ordering::Relaxed)
    }

    fn set(&self, serving: Option<Serving>) {
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = serving;
    }

    fn update(&self, change: impl FnOnce(&mut Serving)) {
        if let Some(serving) = &mut *self.serving.lock().unwrap_or_else(PoisonError::into_inner) {
            change(serving);
        }
    }
}

/// What comes from the other instances, and from this one.
struct Others {
    invalidated: Subscription,
    /// Whether the subscription has begun.
    is_active: bool,
}

impl Others {
    fn apply_waiting(&mut self, follower: &Follower, stamps: &Stamps) {
        while let Some(notice) = self.invalidated.try_next() {
            self.apply(&notice, follower, stamps);
        }
    }

    fn apply(&mut self, notice: &Notice, follower: &Follower, stamps: &Stamps) {
        let owner = match notice {
            Notice::Message(payload) => Owner::of_message(payload),
            Notice::Resync => {
                self.is_active = true;
                None
            }
        };
        match owner {
            Some(owner) => stamps.forget(owner),
            None => follower.update(|serving| serving.session = follower.new_session()),
        }
    }
}
