//! Usage by day, hour or model, and the dashboard.

use std::sync::Arc;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use chrono_tz::Tz;

use super::groups::{by_day, by_hour, name_of_hour, sorted};
use super::streaks::streaks;
use super::{Feature, Figures, Span, Step, UsageSums};
use crate::models::analytics::{
    Costs, Dashboard, DayCost, DayTokens, FeatureAdoption, GroupBy, HourCount, ModelCost, ModelShare,
    Patterns, Period, Streaks, Usage, UsageGroup, WeekdayCount,
};
use crate::models::ids::UserId;
use crate::models::money::Money;
use crate::services::conversations::{StoreError, check_model};
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;
use crate::utils::errors::{ApiError, ErrorCode, FieldErrors};

/// What analytics works with.
pub struct AnalyticsParts {
    /// The sums that the database keeps.
    pub sums: Arc<dyn UsageSums>,
    /// `ENABLE_USER_ANALYTICS`: whether there is a dashboard.
    pub enabled: bool,
    /// The time.
    pub clock: Clock,
}

/// What users used.
pub struct AnalyticsService {
    parts: AnalyticsParts,
}

impl AnalyticsService {
    /// A service for what users used.
    #[must_use]
    pub const fn new(parts: AnalyticsParts) -> Self {
        Self { parts }
    }

    /// What a user used in a period, of one model or of all, in groups.
    ///
    /// # Errors
    /// A model that cannot be one, hours of too long a period, or a failing database.
    pub async fn usage(
        &self,
        user: UserId,
        period: Period,
        model: Option<&str>,
        group_by: GroupBy,
        zone: Tz,
    ) -> Result<Usage, ApiError> {
        check_usage(period, model, group_by).into_result()?;
        let (span, begun) = self.span(user, period, zone).await?;
        let groups = self.groups(user, &span, model, group_by).await;
        let groups = groups.map_err(StoreError::from)?;
        let totals: Figures = groups.iter().map(|(_, figures)| *figures).sum();
        Ok(Usage {
            period,
            from: begun,
            until: span.until,
            timezone: zone.name().to_owned(),
            group_by,
            totals: totals.into(),
            items: groups
                .into_iter()
                .map(|(group, figures)| UsageGroup {
                    group,
                    figures: figures.into(),
                })
                .collect(),
        })
    }

    /// What a user used in a period, from all sides. Its parts are read side by side: an answer that ends meanwhile may be
    /// in one and not yet in another.
    ///
    /// # Errors
    /// If the operator has switched it off, or the database fails.
    pub async fn dashboard(&self, user: UserId, period: Period, zone: Tz) -> Result<Dashboard, ApiError> {
        self.require_enabled()?;
        let (span, begun) = self.span(user, period, zone).await?;
        let segments = span.segments();
        let sums = &self.parts.sums;
        let read = tokio::try_join!(
            sums.over_time(user, None, &segments, Step::Day),
            sums.by_model(user, span.from),
            sums.by_hour_of_day(user, &segments),
            self.streaks(user, zone),
            sums.features(user, span.from.date_naive()),
        );
        let (days, models, hours, streaks, features) = read.map_err(StoreError::from)?;
        let days = by_day(&span, &days);
        let totals: Figures = days.values().copied().sum();
        Ok(Dashboard {
            period,
            from: begun,
            until: span.until,
            timezone: zone.name().to_owned(),
            totals: totals.into(),
            tokens_over_time: days.iter().map(|(date, sums)| day_tokens(*date, sums)).collect(),
            conversation_patterns: Patterns {
                by_hour: all_hours(&hours),
                by_weekday: all_weekdays(days.iter().map(|(date, sums)| (*date, sums.requests))),
            },
            cost: Costs {
                by_day: days.iter().map(|(date, sums)| day_cost(*date, sums)).collect(),
                by_model: model_costs(models.clone()),
            },
            models: model_shares(models),
            feature_adoption: adoption(&features),
            streaks,
        })
    }

    /// The period, and where it begins: nowhere if it is everything, and there is nothing.
    async fn span(
        &self,
        user: UserId,
        period: Period,
        zone: Tz,
    ) -> Result<(Span, Option<DateTime<Utc>>), ApiError> {
        let now = self.parts.clock.now();
        if period != Period::All {
            let span = Span::new(period, zone, now, None);
            return Ok((span, Some(span.from)));
        }
        let first = self.parts.sums.first_use(user).await;
        let first = first.map_err(StoreError::from)?;
        Ok((Span::new(period, zone, now, first), first))
    }

    async fn groups(
        &self,
        user: UserId,
        span: &Span,
        model: Option<&str>,
        group_by: GroupBy,
    ) -> Result<Vec<(String, Figures)>, DatabaseError> {
        let sums = &self.parts.sums;
        let segments = span.segments();
        Ok(match group_by {
            GroupBy::Model => {
                let mut models = sums.by_model(user, span.from).await?;
                models.retain(|(name, _)| model.is_none_or(|model| model == name));
                sorted(models, |sums| sums.requests)
            }
            GroupBy::Day => {
                let parts = sums.over_time(user, model, &segments, Step::Day).await?;
                let days = by_day(span, &parts).into_iter();
                days.map(|(day, sums)| (day.to_string(), sums)).collect()
            }
            GroupBy::Hour => {
                let parts = sums.over_time(user, model, &segments, Step::Hour).await?;
                let hours = by_hour(span, &parts).into_iter();
                hours.map(|(hour, sums)| (name_of_hour(hour), sums)).collect()
            }
        })
    }

    async fn streaks(&self, user: UserId, zone: Tz) -> Result<Streaks, DatabaseError> {
        let sums = &self.parts.sums;
        let now = self.parts.clock.now();
        let Some(first) = sums.first_use(user).await? else {
            return Ok(Streaks::default());
        };
        let everything = Span::new(Period::All, zone, now, Some(first));
        let days = sums.days_with_answers(user, &everything.segments()).await?;
        Ok(streaks(days, now.with_timezone(&zone).date_naive()))
    }

    fn require_enabled(&self) -> Result<(), ApiError> {
        if self.parts.enabled {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::FeatureDisabled,
            "The operator has switched this off (ENABLE_USER_ANALYTICS).",
        ))
    }
}

fn check_usage(period: Period, model: Option<&str>, group_by: GroupBy) -> FieldErrors {
    let mut errors = FieldErrors::default();
    if let Some(model) = model {
        check_model(&mut errors, model);
    }
    let is_long = matches!(period, Period::Year | Period::All);
    errors.check(!(is_long && group_by == GroupBy::Hour), "group_by", || {
        "must be day or model for periods of more than 90 days".to_owned()
    });
    errors
}

fn day_tokens(date: NaiveDate, sums: &Figures) -> DayTokens {
    DayTokens {
        date,
        requests: sums.requests,
        prompt_tokens: sums.prompt_tokens,
        completion_tokens: sums.completion_tokens,
        total_tokens: sums.prompt_tokens.saturating_add(sums.completion_tokens),
    }
}

const fn day_cost(date: NaiveDate, sums: &Figures) -> DayCost {
    DayCost {
        date,
        cost_usd: Money::from_nano(sums.cost),
    }
}

fn model_shares(models: Vec<(String, Figures)>) -> Vec<ModelShare> {
    let all: u64 = models.iter().map(|(_, sums)| sums.requests).sum();
    sorted(models, |sums| sums.requests)
        .into_iter()
        .map(|(model, sums)| ModelShare {
            model,
            requests: sums.requests,
            share: sums.requests as f64 / all.max(1) as f64,
            total_tokens: sums.prompt_tokens.saturating_add(sums.completion_tokens),
        })
        .collect()
}

fn model_costs(models: Vec<(String, Figures)>) -> Vec<ModelCost> {
    sorted(models, |sums| sums.cost)
        .into_iter()
        .map(|(model, sums)| ModelCost {
            model,
            cost_usd: Money::from_nano(sums.cost),
        })
        .collect()
}

fn all_hours(counted: &[(u32, u64)]) -> Vec<HourCount> {
    let requests = |hour| counted.iter().filter(|(at, _)| *at == hour).map(|(_, n)| n).sum();
    (0..24)
        .map(|hour| HourCount {
            hour,
            requests: requests(hour),
        })
        .collect()
}

fn all_weekdays(days: impl Iterator<Item = (NaiveDate, u64)>) -> Vec<WeekdayCount> {
    let mut counted = [0; 7];
    for (day, requests) in days {
        counted[day.weekday().num_days_from_monday() as usize] += requests;
    }
    let weekdays = (1..).zip(counted);
    weekdays
        .map(|(weekday, requests)| WeekdayCount { weekday, requests })
        .collect()
}

fn adoption(counted: &[(String, u64)]) -> FeatureAdoption {
    let uses = |feature: Feature| {
        let found = counted.iter().find(|(name, _)| name == feature.as_str());
        found.map_or(0, |(_, uses)| *uses)
    };
    FeatureAdoption {
        branches: uses(Feature::Branch),
        regenerations: uses(Feature::Regeneration),
        edits: uses(Feature::Edit),
        merges: uses(Feature::Merge),
        exports: uses(Feature::Export),
        searches: uses(Feature::Search),
    }
}
