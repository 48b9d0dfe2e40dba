//! The sums that the database keeps.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::{FeatureCount, Figures, Segment};
use crate::models::ids::UserId;
use crate::utils::database::DatabaseError;

/// What time is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Hours.
    Hour,
    /// Days.
    Day,
}

impl Step {
    /// How long it is.
    #[must_use]
    pub const fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }
}

/// The sums of a local hour or day, or of the part of it that lies in one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedFigures {
    /// When it begins, by the clocks of the segment.
    pub begins: NaiveDateTime,
    /// How far these are ahead of UTC.
    pub offset: TimeDelta,
    /// The sums.
    pub figures: Figures,
}

/// The sums that the database keeps of the usage ledger, and counts of features. They are exact as soon as an entry is in
/// the ledger.
#[async_trait]
pub trait UsageSums: Send + Sync + 'static {
    /// When the user's usage begins, to the quarter of an hour; `None` if there never was any.
    ///
    /// # Errors
    /// A failing database.
    async fn first_use(&self, user: UserId) -> Result<Option<DateTime<Utc>>, DatabaseError>;

    /// The sums of each local hour or day in which there is usage, of one model or of all, in any order.
    ///
    /// # Errors
    /// A failing database.
    async fn over_time(
        &self,
        user: UserId,
        model: Option<&str>,
        segments: &[Segment],
        step: Step,
    ) -> Result<Vec<TimedFigures>, DatabaseError>;

    /// The sums of each model since then, to the quarter of an hour, in any order.
    ///
    /// # Errors
    /// A failing database.
    async fn by_model(
        &self,
        user: UserId,
        since: DateTime<Utc>,
    ) -> Result<Vec<(String, Figures)>, DatabaseError>;

    /// The requests in each of the 24 local hours of the day in which there are any.
    ///
    /// # Errors
    /// A failing database.
    async fn by_hour_of_day(
        &self,
        user: UserId,
        segments: &[Segment],
    ) -> Result<Vec<(u32, u64)>, DatabaseError>;

    /// The local days on which something was answered, in any order; some may be there twice.
    ///
    /// # Errors
    /// A failing database.
    async fn days_with_answers(
        &self,
        user: UserId,
        segments: &[Segment],
    ) -> Result<Vec<NaiveDate>, DatabaseError>;

    /// How often the user used each feature, by its name, since a day in UTC.
    ///
    /// # Errors
    /// A failing database.
    async fn features(&self, user: UserId, since: NaiveDate) -> Result<Vec<(String, u64)>, DatabaseError>;

    /// Adds to the counts of features.
    ///
    /// # Errors
    /// A failing database; nothing is added then.
    async fn add_features(&self, counts: Vec<FeatureCount>) -> Result<(), DatabaseError>;
}
