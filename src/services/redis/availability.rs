//! Whether Redis is up.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::link::Link;

/// Whether Redis is up, and how often it was lost since the start.
#[derive(Debug, Clone)]
pub struct Availability {
    link: Option<Arc<Link>>,
    losses: u64,
    /// When it was lost, or first looked for.
    changed: Instant,
}

impl Availability {
    /// Not up yet.
    pub(super) fn new() -> Self {
        Self {
            link: None,
            losses: 0,
            changed: Instant::now(),
        }
    }

    /// Whether it can be asked.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.link.is_some()
    }

    /// How often it was lost. Who sees the same number twice, and Redis up both times, knows that it was not lost in
    /// between.
    #[must_use]
    pub const fn losses(&self) -> u64 {
        self.losses
    }

    /// Whether it is down, and has been for so long.
    #[must_use]
    pub fn is_down_for(&self, limit: Duration) -> bool {
        !self.is_up() && self.changed.elapsed() >= limit
    }

    pub(super) const fn link(&self) -> Option<&Arc<Link>> {
        self.link.as_ref()
    }

    pub(super) fn found(&mut self, link: Arc<Link>) {
        self.link = Some(link);
    }

    /// Gives a link up; false if that was done before, since then it says nothing about the present one.
    pub(super) fn lost(&mut self, link: &Arc<Link>) -> bool {
        let is_present = self
            .link
            .as_ref()
            .is_some_and(|present| Arc::ptr_eq(present, link));
        if is_present {
            self.link = None;
            self.losses += 1;
            self.changed = Instant::now();
        }
        is_present
    }
}
