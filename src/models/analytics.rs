//! What users used, in figures.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::money::Money;

/// How far back figures go. Days are those of the time zone; the last one is today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[schema(default = "30d")]
pub enum Period {
    /// 24 hours, from the beginning of a quarter of an hour.
    #[serde(rename = "24h")]
    Hours24,
    /// 7 days.
    #[serde(rename = "7d")]
    Days7,
    /// 30 days.
    #[default]
    #[serde(rename = "30d")]
    Days30,
    /// 90 days.
    #[serde(rename = "90d")]
    Days90,
    /// 365 days.
    #[serde(rename = "1y")]
    Year,
    /// Everything.
    #[serde(rename = "all")]
    All,
}

/// What usage is added up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "day")]
pub enum GroupBy {
    /// Days of the time zone.
    #[default]
    Day,
    /// Hours of the time zone; for periods of up to 90 days.
    Hour,
    /// Models.
    Model,
}

/// Which usage is shown.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// How far back.
    #[serde(default)]
    #[param(inline)]
    pub period: Period,
    /// That of this model alone.
    #[param(max_length = 100)]
    pub model: Option<String>,
    /// What it is added up by.
    #[serde(default)]
    #[param(inline)]
    pub group_by: GroupBy,
    /// An IANA time zone; else that of the profile, else UTC.
    #[param(example = "Europe/Vienna")]
    pub timezone: Option<String>,
}

/// Which dashboard is shown.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DashboardQuery {
    /// How far back.
    #[serde(default)]
    #[param(inline)]
    pub period: Period,
    /// An IANA time zone; else that of the profile, else UTC.
    #[param(example = "Europe/Vienna")]
    pub timezone: Option<String>,
}

/// What some requests used and cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct UsageFigures {
    /// Requests that were answered, at least in part, and those that failed.
    pub requests: u64,
    /// Of them, those that failed or were interrupted.
    pub errors: u64,
    /// Of them, those that were answered as streams.
    pub streamed: u64,
    /// Tokens that models read.
    pub prompt_tokens: u64,
    /// Tokens that models wrote.
    pub completion_tokens: u64,
    /// Of those that were read, those from a provider's cache.
    pub cached_tokens: u64,
    /// Of those that were written, those of reasoning.
    pub reasoning_tokens: u64,
    /// Read and written.
    pub total_tokens: u64,
    /// In US dollars, as far as the costs are known.
    #[schema(value_type = f64, example = 1.25)]
    pub cost_usd: Money,
    /// From the start of an answer to its end, in the mean; null where that is unknown of all.
    pub latency_ms: Option<u64>,
    /// From the start of an answer to its first token, in the mean; null where that is unknown of all.
    pub time_to_first_token_ms: Option<u64>,
}

/// The usage of a day, an hour or a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsageGroup {
    /// The day (`2026-11-23`), the beginning of the hour with the offset of its time zone
    /// (`2026-11-23T14:00:00+01:00`), or the model.
    #[schema(example = "2026-11-23")]
    pub group: String,
    /// What was used.
    #[serde(flatten)]
    pub figures: UsageFigures,
}

/// What a user used in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Usage {
    /// How far back.
    pub period: Period,
    /// Where the period begins; null where nothing was ever used.
    pub from: Option<DateTime<Utc>>,
    /// Where it ends.
    pub until: DateTime<Utc>,
    /// Whose days and hours these are.
    #[schema(example = "Europe/Vienna")]
    pub timezone: String,
    /// What it is added up by.
    pub group_by: GroupBy,
    /// All together.
    pub totals: UsageFigures,
    /// Each day or hour of the period, the oldest first; or each model that was used, the most used first.
    pub items: Vec<UsageGroup>,
}

/// The tokens of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayTokens {
    /// The day.
    pub date: NaiveDate,
    /// Requests.
    pub requests: u64,
    /// Tokens that models read.
    pub prompt_tokens: u64,
    /// Tokens that models wrote.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
}

/// A model's share.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelShare {
    /// The model.
    #[schema(example = "gpt-4o-mini")]
    pub model: String,
    /// Requests.
    pub requests: u64,
    /// Of all requests, from 0 to 1.
    pub share: f64,
    /// Tokens read and written.
    pub total_tokens: u64,
}

/// How much was asked in one of the 24 hours of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct HourCount {
    /// 0 to 23.
    pub hour: u32,
    /// Requests.
    pub requests: u64,
}

/// How much was asked on one of the days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct WeekdayCount {
    /// 1 (Monday) to 7 (Sunday), as in ISO 8601.
    pub weekday: u32,
    /// Requests.
    pub requests: u64,
}

/// When the user asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Patterns {
    /// All 24 hours.
    pub by_hour: Vec<HourCount>,
    /// All 7 days, from Monday.
    pub by_weekday: Vec<WeekdayCount>,
}

/// What a day cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayCost {
    /// The day.
    pub date: NaiveDate,
    /// In US dollars, as far as the costs are known.
    #[schema(value_type = f64, example = 0.25)]
    pub cost_usd: Money,
}

/// What a model cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelCost {
    /// The model.
    #[schema(example = "gpt-4o-mini")]
    pub model: String,
    /// In US dollars, as far as the costs are known.
    #[schema(value_type = f64, example = 0.25)]
    pub cost_usd: Money,
}

/// What the user paid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Costs {
    /// Each day of the period, the oldest first.
    pub by_day: Vec<DayCost>,
    /// Each model, the dearest first.
    pub by_model: Vec<ModelCost>,
}

/// How often the user did more than chat. Counted by days in UTC, a few seconds late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct FeatureAdoption {
    /// Branches that were forked.
    pub branches: u64,
    /// Answers that were written anew.
    pub regenerations: u64,
    /// Messages that were edited.
    pub edits: u64,
    /// Branches that were merged.
    pub merges: u64,
    /// Conversations that were exported.
    pub exports: u64,
    /// Searches, and lists that were searched.
    pub searches: u64,
}

/// Days in a row on which something was answered, whatever the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Streaks {
    /// Up to today, or up to yesterday while there is nothing today.
    pub current: u64,
    /// At any time.
    pub longest: u64,
}

/// What a user used in a period, from all sides.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Dashboard {
    /// How far back.
    pub period: Period,
    /// Where the period begins; null where nothing was ever used.
    pub from: Option<DateTime<Utc>>,
    /// Where it ends.
    pub until: DateTime<Utc>,
    /// Whose days and hours these are.
    #[schema(example = "Europe/Vienna")]
    pub timezone: String,
    /// All together.
    pub totals: UsageFigures,
    /// Each day of the period, the oldest first.
    pub tokens_over_time: Vec<DayTokens>,
    /// Each model, the most used first.
    pub models: Vec<ModelShare>,
    /// When the user asks.
    pub conversation_patterns: Patterns,
    /// What it cost.
    pub cost: Costs,
    /// What else was done.
    pub feature_adoption: FeatureAdoption,
    /// Days in a row.
    pub streaks: Streaks,
}
