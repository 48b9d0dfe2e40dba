use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::models::health::HealthStatus;
use crate::testing;

/// A check that does what the test says and counts how often it is asked.
struct Scripted {
    importance: Importance,
    works: bool,
    takes: Duration,
    runs: AtomicUsize,
}

impl Scripted {
    fn new(importance: Importance, works: bool) -> Arc<Self> {
        Self::slow(importance, works, Duration::ZERO)
    }

    fn slow(importance: Importance, works: bool, takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            importance,
            works,
            takes,
            runs: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Check for Scripted {
    fn name(&self) -> &'static str {
        match self.importance {
            Importance::Essential => "store",
            Importance::Critical => "llm",
            Importance::Optional => "cache",
        }
    }

    fn importance(&self) -> Importance {
        self.importance
    }

    async fn check(&self) -> Result<Option<String>, String> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.takes).await;
        if self.works {
            Ok(None)
        } else {
            Err("down".to_owned())
        }
    }
}

fn service(checks: Vec<Arc<dyn Check>>) -> HealthService {
    let mut settings = testing::settings();
    settings.monitoring.health_check_interval = Duration::from_millis(300);
    settings.monitoring.health_check_timeout = Duration::from_millis(100);
    HealthService::new(checks, &settings, Clock::system())
}

#[tokio::test]
async fn the_worst_failure_decides() {
    use Importance::{Critical, Essential, Optional};
    for (essential, critical, optional, expected) in [
        (true, true, true, HealthStatus::Healthy),
        (true, true, false, HealthStatus::Degraded),
        (true, false, true, HealthStatus::Unhealthy),
        (false, true, false, HealthStatus::Unhealthy),
    ] {
        let service = service(vec![
            Scripted::new(Essential, essential),
            Scripted::new(Critical, critical),
            Scripted::new(Optional, optional),
        ]);
        assert_eq!(service.report().await.status, expected);
        assert_eq!(service.is_ready().await, essential);
    }
}

#[tokio::test]
async fn many_who_ask_share_one_run_until_the_interval_ends() {
    let check = Scripted::slow(Importance::Critical, true, Duration::from_millis(50));
    let service = service(vec![check.clone()]);
    join_all((0..50).map(|_| service.report())).await;
    assert_eq!(check.runs.load(Ordering::Relaxed), 1);
    tokio::time::sleep(Duration::from_millis(350)).await;
    service.report().await;
    assert_eq!(check.runs.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_check_that_hangs_fails_in_time() {
    let service = service(vec![Scripted::slow(
        Importance::Essential,
        true,
        Duration::from_secs(3600),
    )]);
    let started = Instant::now();
    let health = service.report().await;
    assert_eq!(health.status, HealthStatus::Unhealthy);
    assert_eq!(
        health.services["store"].detail.as_deref(),
        Some("no answer in time")
    );
    assert!(!service.is_ready().await);
    assert!(started.elapsed() < Duration::from_secs(5));
}
