//! How single values are stored in PostgreSQL.

use chrono::{DateTime, SubsecRound as _, Utc};

/// A time as it is stored: in whole milliseconds, as on every database.
pub(super) fn millis(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(3)
}
