//! The work in the background that reads the model server.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Catalog;
use super::service::{Reading, State, Wish};
use super::snapshot::Snapshot;
use super::sources::Sources;
use crate::services::llm::Dropped;

/// The pause after a reading that failed, wholly or in part, and what it grows to by doubling.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(300);

impl Catalog {
    /// The work that reads the model server until `stop` is cancelled. `None` after the first time.
    pub fn background(
        self: &Arc<Self>,
        stop: &CancellationToken,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(self.clone().run(inbox, stop.clone()))
    }

    /// Reads at once, when what was read is no longer good, and when somebody wishes it. It is done here and nowhere else,
    /// so that there is one reading at a time.
    async fn run(self: Arc<Self>, mut inbox: mpsc::Receiver<Wish>, stop: CancellationToken) {
        let mut sources = Sources::default();
        let mut waiting = Vec::new();
        let mut pause = FIRST_RETRY;
        loop {
            // Only a reading that begins after the wish fulfils it.
            while let Ok(wish) = inbox.try_recv() {
                waiting.push(wish);
            }
            let reading = tokio::select! {
                reading = self.read(&mut sources) => reading,
                () = stop.cancelled() => return,
            };
            for wish in waiting.drain(..) {
                // Whoever wished it may have gone away.
                let _ = wish.send(reading.clone());
            }
            let is_complete = self.state.borrow().is_complete;
            let next = if is_complete {
                pause = FIRST_RETRY;
                self.ttl.mul_f64(rand::random_range(0.9..1.1))
            } else {
                let now = pause.min(self.ttl);
                pause = (pause * 2).min(LAST_RETRY);
                now
            };
            tokio::select! {
                () = sleep(next) => {}
                wish = inbox.recv() => waiting.extend(wish),
                () = stop.cancelled() => return,
            }
        }
    }

    /// Reads the model server once.
    async fn read(&self, sources: &mut Sources) -> Reading {
        let reports = self.server.discover().await;
        let absorbed = match sources.absorb(reports) {
            Ok(absorbed) => absorbed,
            Err(error) => {
                tracing::warn!(%error, "the models could not be read");
                self.state.send_modify(|state| {
                    state.was_read = true;
                    state.is_stale = state.snapshot.is_some();
                    state.is_complete = false;
                });
                self.metrics.catalog_stale.set(1);
                return Err(error);
            }
        };
        let snapshot = Arc::new(Snapshot::new(sources.gather(), self.clock.now()));
        let before = self.state.borrow().snapshot.clone();
        let report = snapshot.changes_since(before.as_deref());
        self.count(&snapshot, absorbed.dropped, absorbed.is_stale);
        self.state.send_replace(State {
            was_read: true,
            snapshot: Some(snapshot),
            is_stale: absorbed.is_stale,
            is_complete: absorbed.is_complete,
        });
        if report.added + report.removed > 0 {
            tracing::info!(
                models = report.models,
                added = report.added,
                removed = report.removed,
                "the models were read"
            );
        }
        Ok(report)
    }

    fn count(&self, snapshot: &Arc<Snapshot>, dropped: Dropped, is_stale: bool) {
        let metrics = &self.metrics;
        for (kind, count) in [
            ("model", dropped.models),
            ("price", dropped.prices),
            ("limit", dropped.limits),
        ] {
            metrics.catalog_dropped.with_label_values(&[kind]).inc_by(count);
        }
        let models = i64::try_from(snapshot.models().len()).unwrap_or(i64::MAX);
        metrics.catalog_models.set(models);
        metrics.catalog_stale.set(i64::from(is_stale));
        let snapshot = snapshot.clone();
        metrics.know_models(move |name| snapshot.has(name));
    }
}
