//! From single findings to one word.

use crate::models::health::{HealthStatus, ServiceHealth, ServiceStatus};

use super::Importance;

/// What one check found.
pub(super) struct Finding {
    pub(super) name: &'static str,
    pub(super) importance: Importance,
    pub(super) health: ServiceHealth,
}

impl Finding {
    pub(super) fn is_healthy(&self) -> bool {
        self.health.status == ServiceStatus::Healthy
    }
}

/// Unhealthy if chat cannot work, degraded if anything else does not.
pub(super) fn overall(findings: &[Finding]) -> HealthStatus {
    let mut failed = findings.iter().filter(|finding| !finding.is_healthy()).peekable();
    if failed.peek().is_none() {
        HealthStatus::Healthy
    } else if failed.all(|finding| finding.importance == Importance::Optional) {
        HealthStatus::Degraded
    } else {
        HealthStatus::Unhealthy
    }
}
