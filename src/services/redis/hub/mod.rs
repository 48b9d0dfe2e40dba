//! Publish/subscribe: all subscriptions of this instance share one connection.
//!
//! Delivery is a convenience and never the truth: whoever is told [`Notice::Resync`] looks for themselves. That is
//! said when a channel becomes active, after every interruption of the connection, and to a reader who was too slow;
//! so nothing is missed without notice. One slow reader holds up nobody.
//!
//! - `listener`: the connection, and what comes over it

mod listener;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;

pub(super) use listener::run;

/// What a subscription is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The payload of a message.
    Message(Bytes),
    /// Messages may have been missed up to now.
    Resync,
}

/// Who listens to what. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Hub(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    channels: Mutex<Channels>,
    /// Wakes the listener after a change of the channels.
    changed: Notify,
    heard: watch::Sender<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Channels {
    /// Those with at least one subscription.
    wanted: HashMap<Arc<str>, Wanted>,
    /// Those that the listener has to look at.
    changed: HashSet<Arc<str>>,
}

#[derive(Debug)]
struct Wanted {
    notices: broadcast::Sender<Notice>,
    /// Counted here: receivers end a little later than the subscriptions that have them.
    subscriptions: usize,
}

impl Hub {
    pub(super) fn subscribe(&self, channel: &str, capacity: usize) -> Subscription {
        let mut channels = self.lock();
        let channel = Arc::<str>::from(channel);
        let notices = match channels.wanted.get_mut(&channel) {
            Some(wanted) => {
                wanted.subscriptions += 1;
                wanted.notices.subscribe()
            }
            None => {
                let (sender, notices) = broadcast::channel(capacity.max(1));
                let wanted = Wanted {
                    notices: sender,
                    subscriptions: 1,
                };
                channels.wanted.insert(channel.clone(), wanted);
                channels.changed.insert(channel.clone());
                self.0.changed.notify_one();
                notices
            }
        };
        drop(channels);
        Subscription {
            hub: self.clone(),
            channel,
            notices,
        }
    }

    pub(super) fn heard(&self) -> watch::Receiver<Option<Instant>> {
        self.0.heard.subscribe()
    }

    fn unsubscribe(&self, subscription: &Subscription) {
        let mut channels = self.lock();
        let channel = &subscription.channel;
        let others = channels.wanted.get_mut(channel).map_or(0, |wanted| {
            wanted.subscriptions -= 1;
            wanted.subscriptions
        });
        if others == 0 {
            channels.wanted.remove(channel);
            channels.changed.insert(channel.clone());
            self.0.changed.notify_one();
        }
    }

    /// Tells all subscriptions of a channel.
    fn tell(&self, channel: &str, notice: Notice) {
        if let Some(wanted) = self.lock().wanted.get(channel) {
            // Fails only if the last subscription ends right now.
            wanted.notices.send(notice).ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.0.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channels {
    /// Which changed channels are to be joined and which to be left, given those that were joined before.
    fn take_changes(&mut self, joined: &HashSet<Arc<str>>) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let (wanted, unwanted): (Vec<_>, Vec<_>) =
            changed.partition(|channel| self.wanted.contains_key(channel));
        let join = wanted.into_iter().filter(|channel| !joined.contains(channel));
        let leave = unwanted.into_iter().filter(|channel| joined.contains(channel));
        (join.collect(), leave.collect())
    }
}

/// A reader of a channel. Dropping it ends the subscription.
pub struct Subscription {
    hub: Hub,
    channel: Arc<str>,
    notices: broadcast::Receiver<Notice>,
}

impl Subscription {
    /// Waits for the next notice. Nothing is lost if the waiting is cancelled.
    pub async fn next(&mut self) -> Notice {
        match self.notices.recv().await {
            Ok(notice) => notice,
            Err(RecvError::Lagged(_)) => Notice::Resync,
            // Not while this subscription exists.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// The next notice, if there is one already.
    pub fn try_next(&mut self) -> Option<Notice> {
        match self.notices.try_recv() {
            Ok(notice) => Some(notice),
            Err(TryRecvError::Lagged(_)) => Some(Notice::Resync),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(self);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(channels: &[Arc<str>]) -> Vec<&str> {
        channels.iter().map(AsRef::as_ref).collect()
    }

    #[test]
    fn a_channel_is_joined_by_the_first_and_left_by_the_last() {
        let hub = Hub::default();
        let mut joined = HashSet::new();
        let (first, second) = (hub.subscribe("a", 1), hub.subscribe("a", 1));
        let (join, leave) = hub.lock().take_changes(&joined);
        assert_eq!((names(&join), names(&leave)), (vec!["a"], vec![]));
        joined.extend(join);

        drop(first);
        assert_eq!(hub.lock().take_changes(&joined), (vec![], vec![]));
        drop(second);
        let again = hub.subscribe("a", 1);
        assert_eq!(
            hub.lock().take_changes(&joined),
            (vec![], vec![]),
            "left and joined"
        );
        drop(again);
        let (join, leave) = hub.lock().take_changes(&joined);
        assert_eq!((names(&join), names(&leave)), (vec![], vec!["a"]));
    }

    #[test]
    fn subscriptions_that_end_at_once_leave_nothing() {
        let hub = Hub::default();
        for _ in 0..200 {
            let subscriptions = [hub.subscribe("a", 1), hub.subscribe("a", 1)];
            let start = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                for subscription in subscriptions {
                    scope.spawn(|| {
                        let ends = subscription;
                        start.wait();
                        drop(ends);
                    });
                }
            });
            assert!(hub.lock().wanted.is_empty());
        }
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_and_a_fast_one_misses_nothing() {
        let hub = Hub::default();
        let (mut slow, mut fast) = (hub.subscribe("a", 2), hub.subscribe("a", 2));
        let message = |n: u8| Notice::Message(Bytes::copy_from_slice(&[n]));
        for n in 0..5 {
            hub.tell("a", message(n));
            assert_eq!(fast.next().await, message(n));
        }
        assert_eq!(slow.next().await, Notice::Resync);
        assert_eq!(slow.next().await, message(3));
        assert_eq!(slow.try_next(), Some(message(4)));
        assert_eq!(slow.try_next(), None);
    }
}
