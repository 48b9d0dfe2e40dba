//! The life of the process: starting, ready, draining, stopped.
//!
//! Shutdown goes in phases. `/ready` says no and [`Lifecycle::soft`] is cancelled, so that new work is refused
//! and running work comes to a safe point; tracked tasks get a limited time; then [`Lifecycle::hard`] is
//! cancelled and what is left has a moment to write down where it stands. The server goes on accepting
//! connections all the while, so that probes and clients hear *why* they are refused, until
//! [`Lifecycle::stop_serving`]. Flushing logs and closing the store is the business of whoever runs the phases.
//!
//! All background work lives on the one tracker here: nothing else spawns tasks that must not be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long tasks may take to end once they were told to end at once.
const HARD_STOP_GRACE: Duration = Duration::from_secs(4);

/// Where the process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Not yet able to serve.
    Starting,
    /// Serving.
    Ready,
    /// Serving what runs, refusing what is new.
    Draining,
}

/// How the tracked tasks ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// All of their own accord.
    Clean,
    /// This many were still running when they were told to end at once.
    Forced(usize),
}

/// A handle on the life of the process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    phase: AtomicU8,
    tracker: TaskTracker,
    soft: CancellationToken,
    hard: CancellationToken,
    stop_serving: CancellationToken,
}

impl Lifecycle {
    /// A process that is starting.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the process stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// Whether new work must be refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.phase() == Phase::Draining
    }

    /// Says that start-up is complete. A process that already drains stays so.
    pub fn set_ready(&self) {
        self.advance(Phase::Ready);
    }

    /// Runs a task that shutdown waits for.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.tracker.spawn(task)
    }

    /// The tracker of all tasks that shutdown waits for.
    #[must_use]
    pub fn tracker(&self) -> &TaskTracker {
        &self.0.tracker
    }

    /// Cancelled when draining begins: come to a safe point, then end.
    #[must_use]
    pub fn soft(&self) -> &CancellationToken {
        &self.0.soft
    }

    /// Cancelled when time is up: end at once.
    #[must_use]
    pub fn hard(&self) -> &CancellationToken {
        &self.0.hard
    }

    /// Cancelled when the server is to accept no more and to close its connections.
    #[must_use]
    pub fn serving_stopped(&self) -> &CancellationToken {
        &self.0.stop_serving
    }

    /// Tells the server to accept no more and to close its connections.
    pub fn stop_serving(&self) {
        self.0.stop_serving.cancel();
    }

    /// Makes a running [`drain`](Self::drain) end its wait: for a second signal.
    pub fn abort(&self) {
        self.0.hard.cancel();
    }

    /// Refuses new work and waits up to `limit` for the tracked tasks; then tells the rest to end at once and
    /// gives them a moment for it.
    pub async fn drain(&self, limit: Duration) -> Drained {
        self.advance(Phase::Draining);
        self.0.soft.cancel();
        self.0.tracker.close();
        tracing::info!(
            tasks = self.0.tracker.len(),
            limit_seconds = limit.as_secs(),
            "draining"
        );
        let waited = tokio::select! {
            waited = timeout(limit, self.0.tracker.wait()) => waited.is_ok(),
            () = self.0.hard.cancelled() => self.0.tracker.is_empty(),
        };
        let left = self.0.tracker.len();
        self.0.hard.cancel();
        if waited {
            return Drained::Clean;
        }
        tracing::warn!(tasks = left, "time is up, running tasks are stopped");
        if timeout(HARD_STOP_GRACE, self.0.tracker.wait()).await.is_err() {
            tracing::error!(
                tasks = self.0.tracker.len(),
                "tasks did not stop and are abandoned"
            );
        }
        Drained::Forced(left)
    }

    fn advance(&self, to: Phase) {
        self.0.phase.fetch_max(to as u8, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drains_clean_when_tasks_end_at_the_soft_token() {
        let lifecycle = Lifecycle::new();
        lifecycle.set_ready();
        assert_eq!(lifecycle.phase(), Phase::Ready);
        let soft = lifecycle.soft().clone();
        lifecycle.spawn(async move { soft.cancelled().await });
        assert_eq!(lifecycle.drain(Duration::from_secs(5)).await, Drained::Clean);
        assert!(lifecycle.is_draining() && lifecycle.hard().is_cancelled());
        lifecycle.set_ready();
        assert!(lifecycle.is_draining(), "there is no way back");
    }

    #[tokio::test]
    async fn stops_what_does_not_end_in_time() {
        let lifecycle = Lifecycle::new();
        let hard = lifecycle.hard().clone();
        lifecycle.spawn(async move { hard.cancelled().await });
        assert_eq!(
            lifecycle.drain(Duration::from_millis(10)).await,
            Drained::Forced(1)
        );
        assert!(lifecycle.tracker().is_empty());
    }

    #[tokio::test]
    async fn a_second_signal_ends_the_wait() {
        let lifecycle = Lifecycle::new();
        let hard = lifecycle.hard().clone();
        lifecycle.spawn(async move { hard.cancelled().await });
        lifecycle.abort();
        let drained = timeout(Duration::from_secs(1), lifecycle.drain(Duration::from_secs(60))).await;
        assert!(drained.is_ok());
    }
}
