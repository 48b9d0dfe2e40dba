//! GCRA in Redis, for all instances together.

use std::fmt::Display;
use std::time::Duration;

use redis::Script;

use crate::services::redis::{PREFIX, Redis, RedisFailure};

use super::{Decision, Quota, Scope};

/// A quota for each key that all instances share.
pub(super) struct SharedGcra {
    redis: Redis,
    script: Script,
    scope: Scope,
    interval_micros: u64,
    burst: u32,
}

impl SharedGcra {
    pub(super) fn new(redis: Redis, scope: Scope, quota: Quota) -> Self {
        let interval = u64::try_from(quota.interval().as_micros()).unwrap_or(u64::MAX);
        Self {
            redis,
            script: Script::new(include_str!("gcra.lua")),
            scope,
            interval_micros: interval.max(1),
            burst: quota.burst(),
        }
    }

    /// Counts one more for this key, if it is allowed.
    ///
    /// # Errors
    /// If Redis does not answer; whether it has counted is unknown then.
    pub(super) async fn check(&self, key: &impl Display) -> Result<Decision, RedisFailure> {
        let mut call = self
            .script
            .key(format!("{PREFIX}rate:{}:{key}", self.scope.as_str()));
        call.arg(self.interval_micros).arg(self.burst);
        Ok(match self.redis.run(&call).await? {
            (true, remaining) => Decision::Allowed {
                remaining: u32::try_from(remaining).unwrap_or(self.burst),
            },
            (false, micros) => Decision::Denied {
                retry_after: Duration::from_micros(micros),
            },
        })
    }
}
