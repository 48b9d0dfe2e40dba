//! Time and ids, given to whoever needs them instead of taken from the air.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// Tells the time and makes ids. Cheap to clone; tests hold it still.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    context: Arc<Mutex<ContextV7>>,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the machine's clock comes in"
    )]
    pub fn system() -> Self {
        Self::from_fn(Utc::now)
    }

    /// A clock that tells what the function says.
    pub fn from_fn(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self {
            now: Arc::new(now),
            context: Arc::new(Mutex::new(ContextV7::new())),
        }
    }

    /// The time, in milliseconds: what is stored and what is shown are then the same.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.now)().trunc_subsecs(3)
    }

    /// A new UUID of version 7: within this process each is greater than the one before.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let now = (self.now)();
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        Uuid::new_v7(Timestamp::from_unix(
            &*context,
            seconds,
            now.timestamp_subsec_nanos(),
        ))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
