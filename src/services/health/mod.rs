//! Whether the service and what it depends on work.
//!
//! - [`Check`]: one thing to look at; its owner writes it
//! - [`HealthService`]: runs the checks side by side, within a time limit, and keeps what they said for a while
//! - [`info()`]: what is running here, from the settings
//!
//! However many ask at once, the checks run once: the others wait for that run and share its result.

mod checks;
mod info;
mod report;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::config::Settings;
use crate::models::health::{Health, ServiceHealth, ServiceStatus};
use crate::utils::clock::Clock;

pub use checks::{CacheCheck, ConversationsCheck, ModelCheck};
pub use info::{COMMIT, info};

use report::{Finding, overall};

/// How long the answer to "ready?" is kept: probes of several balancers share it, a failure shows at once.
const READINESS_TTL: Duration = Duration::from_secs(1);

/// How much depends on what a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Without it no request can be served: `/ready` fails too.
    Essential,
    /// Without it chat cannot work.
    Critical,
    /// Without it something less works.
    Optional,
}

/// One thing that the service depends on.
#[async_trait]
pub trait Check: Send + Sync {
    /// Its name in `/health`.
    fn name(&self) -> &'static str;

    /// How much depends on it.
    fn importance(&self) -> Importance;

    /// Looks whether it works. Both texts are shown to everyone: no addresses, no causes, no secrets.
    async fn check(&self) -> Result<Option<String>, String>;
}

/// Runs the checks and keeps what they said.
pub struct HealthService {
    checks: Vec<Arc<dyn Check>>,
    interval: Duration,
    limit: Duration,
    version: String,
    clock: Clock,
    started: Instant,
    report: Mutex<Option<(Instant, Health)>>,
    ready: Mutex<Option<(Instant, bool)>>,
}

impl HealthService {
    /// A service that reuses results for `HEALTH_CHECK_INTERVAL` and gives each check
    /// `HEALTH_CHECK_TIMEOUT`.
    #[must_use]
    pub fn new(checks: Vec<Arc<dyn Check>>, settings: &Settings, clock: Clock) -> Self {
        Self {
            checks,
            interval: settings.monitoring.health_check_interval,
            limit: settings.monitoring.health_check_timeout,
            version: settings.app.version.clone(),
            clock,
            started: Instant::now(),
            report: Mutex::new(None),
            ready: Mutex::new(None),
        }
    }

    /// The state of everything, at most `HEALTH_CHECK_INTERVAL` old; the uptime is exact.
    pub async fn report(&self) -> Health {
        let mut kept = self.report.lock().await;
        if let Some((at, health)) = &*kept
            && at.elapsed() < self.interval
        {
            return Health {
                uptime_seconds: self.uptime_seconds(),
                ..health.clone()
            };
        }
        let findings = join_all(self.checks.iter().map(|check| self.run(check.as_ref()))).await;
        let health = Health {
            status: overall(&findings),
            version: self.version.clone(),
            uptime_seconds: self.uptime_seconds(),
            timestamp: self.clock.now(),
            services: findings
                .into_iter()
                .map(|finding| (finding.name.to_owned(), finding.health))
                .collect(),
        };
        *kept = Some((Instant::now(), health.clone()));
        health
    }

    /// Whether everything essential answers, at most a second ago.
    pub async fn is_ready(&self) -> bool {
        let mut kept = self.ready.lock().await;
        if let Some((at, ready)) = *kept
            && at.elapsed() < READINESS_TTL
        {
            return ready;
        }
        let essential = self
            .checks
            .iter()
            .filter(|check| check.importance() == Importance::Essential);
        let findings = join_all(essential.map(|check| self.run(check.as_ref()))).await;
        let ready = findings.iter().all(Finding::is_healthy);
        *kept = Some((Instant::now(), ready));
        ready
    }

    async fn run(&self, check: &dyn Check) -> Finding {
        let started = Instant::now();
        let outcome = timeout(self.limit, check.check()).await;
        let (status, detail) = match outcome {
            Ok(Ok(detail)) => (ServiceStatus::Healthy, detail),
            Ok(Err(detail)) => (ServiceStatus::Unhealthy, Some(detail)),
            Err(_) => (ServiceStatus::Unhealthy, Some("no answer in time".to_owned())),
        };
        let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if status == ServiceStatus::Unhealthy {
            tracing::warn!(check = check.name(), detail, latency_ms, "health check failed");
        }
        Finding {
            name: check.name(),
            importance: check.importance(),
            health: ServiceHealth {
                status,
                latency_ms,
                detail,
            },
        }
    }

    fn uptime_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }
}

impl std::fmt::Debug for HealthService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let checks: Vec<_> = self.checks.iter().map(|check| check.name()).collect();
        f.debug_struct("HealthService")
            .field("checks", &checks)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
