//! What users used, in figures: read from sums that the database keeps in step with the usage ledger.
//!
//! - [`AnalyticsService`]: usage by day, hour or model, and the dashboard
//! - [`Span`]: a period in a time zone; [`Segment`]: a part of one in which clocks are not changed
//! - [`UsageSums`]: the sums, and [`Figures`], which they add up to; `groups` and `streaks` make days and runs of them
//! - [`FeatureUses`]: counts what users do beside chatting
//!
//! Sums are kept for quarters of an hour in UTC, which are parts of anybody's hours and days. Statements add up those of
//! each local day or hour; what local time is, chrono-tz knows and the database need not.

mod features;
mod figures;
mod groups;
mod service;
mod span;
mod streaks;
mod sums;

pub use features::{Feature, FeatureCount, FeatureUses};
pub use figures::Figures;
pub use service::{AnalyticsParts, AnalyticsService};
pub use span::{Segment, Span};
pub use sums::{Step, TimedFigures, UsageSums};
