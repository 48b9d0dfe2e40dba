//! Whether Redis is up.

use std::sync::Arc;

use super::link::Link;

/// Whether Redis is up, and how often it was lost since the start.
#[derive(Debug, Clone, Default)]
pub struct Availability {
    link: Option<Arc<Link>>,
    losses: u64,
}

impl Availability {
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
        }
        is_present
    }
}
