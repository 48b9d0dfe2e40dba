//! The work in the background, with a model server in the test's hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::poll;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Catalog, CatalogParts};
use crate::models::model::ModelSource;
use crate::services::llm::{
    Completion, Listing, Model, ModelCall, ModelError, ModelErrorKind, ModelFacts, ModelStream,
    SourceOutcome, SourceReport,
};
use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;

/// Answers a reading for each permit: with as many models as it was asked times.
struct Server {
    permits: Semaphore,
    readings: AtomicUsize,
}

#[async_trait]
impl Model for Server {
    fn name(&self) -> &'static str {
        "test"
    }

    fn fallbacks(&self, _model: &str) -> &[Arc<str>] {
        &[]
    }

    fn surely_lacks(&self, _model: &str) -> bool {
        false
    }

    async fn stream(&self, _call: &ModelCall) -> Result<ModelStream, ModelError> {
        Err(ModelError::new(ModelErrorKind::Unavailable, ""))
    }

    async fn complete(&self, _call: &ModelCall) -> Result<Completion, ModelError> {
        Err(ModelError::new(ModelErrorKind::Unavailable, ""))
    }

    fn may_embed(&self, _model: &str) -> bool {
        false
    }

    async fn embed(&self, _call: &ModelCall) -> Result<Completion, ModelError> {
        Err(ModelError::new(ModelErrorKind::Unavailable, ""))
    }

    async fn discover(&self) -> Vec<SourceReport> {
        let count = self.readings.fetch_add(1, Ordering::SeqCst) + 1;
        self.permits.acquire().await.expect("never closed").forget();
        let model = |n| ModelFacts {
            id: format!("m{n}"),
            ..ModelFacts::default()
        };
        let models = (0..count).map(model).collect();
        vec![SourceReport {
            server: "test",
            list: ModelSource::Models,
            outcome: SourceOutcome::Listed(Listing {
                models,
                ..Listing::default()
            }),
        }]
    }

    async fn check(&self) -> Result<(), ModelError> {
        Ok(())
    }
}

fn catalog(server: &Arc<Server>) -> Arc<Catalog> {
    Arc::new(Catalog::new(CatalogParts {
        server: server.clone(),
        ttl: Duration::from_secs(3_600),
        metrics: Arc::new(Metrics::new(0).expect("families")),
        clock: Clock::system(),
    }))
}

fn server() -> Arc<Server> {
    Arc::new(Server {
        permits: Semaphore::new(0),
        readings: AtomicUsize::new(0),
    })
}

#[tokio::test]
async fn who_wishes_together_is_answered_by_one_reading_that_begins_later() {
    let (server, stop, work) = (server(), CancellationToken::new(), TaskTracker::new());
    let catalog = catalog(&server);
    work.spawn(catalog.background(&stop).expect("the first time"));
    assert!(catalog.background(&stop).is_none(), "there is one reader");
    while server.readings.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut wishes = Box::pin(join_all((0..20).map(|_| catalog.refresh())));
    assert!(poll!(&mut wishes).is_pending(), "the first reading is under way");
    server.permits.add_permits(2);
    for report in wishes.await {
        assert_eq!(report.expect("a reading").models, 2, "of the second reading");
    }
    assert_eq!(server.readings.load(Ordering::SeqCst), 2);
    stop.cancel();
    work.close();
    work.wait().await;
    let refused = catalog.refresh().await.expect_err("nobody reads any more");
    assert_eq!(refused.code().as_str(), "DRAINING");
}

#[tokio::test]
async fn the_first_request_waits_for_the_first_reading_alone() {
    let (server, stop, work) = (server(), CancellationToken::new(), TaskTracker::new());
    let catalog = catalog(&server);
    work.spawn(catalog.background(&stop).expect("the first time"));
    while server.readings.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut first = Box::pin(catalog.model("m0"));
    assert!(poll!(&mut first).is_pending());
    server.permits.add_permits(1);
    assert_eq!(first.await.expect("a model").id, "m0");
    stop.cancel();
    work.close();
    work.wait().await;
}
