//! From sums to the days, hours and models that are shown.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat, TimeDelta, TimeZone as _, Utc};

use super::{Figures, Span, Step, TimedFigures};

/// The figures of each day of the period, those without any usage included.
pub(super) fn by_day(span: &Span, parts: &[TimedFigures]) -> BTreeMap<NaiveDate, Figures> {
    let (first, last) = span.days();
    let mut days: BTreeMap<NaiveDate, Figures> = first
        .iter_days()
        .take_while(|day| *day <= last)
        .map(|day| (day, Figures::default()))
        .collect();
    for part in parts {
        *days.entry(part.begins.date()).or_default() += part.figures;
    }
    days
}

/// The figures of each hour of the period, those without any usage included, by when they begin. An hour that clocks repeat
/// is there twice.
pub(super) fn by_hour(span: &Span, parts: &[TimedFigures]) -> BTreeMap<DateTime<FixedOffset>, Figures> {
    let hour = Step::Hour.length();
    let mut hours = BTreeMap::new();
    for segment in span.segments() {
        let local = segment.from.naive_utc() + segment.offset;
        let into_hour = local
            .and_utc()
            .timestamp_millis()
            .rem_euclid(hour.num_milliseconds());
        let mut begins = segment.from - TimeDelta::milliseconds(into_hour);
        while begins < segment.until {
            hours.insert(shown(begins, segment.offset), Figures::default());
            begins += hour;
        }
    }
    for part in parts {
        let begins = (part.begins - part.offset).and_utc();
        *hours.entry(shown(begins, part.offset)).or_default() += part.figures;
    }
    hours
}

/// Models in the order of their figures, the largest first, and of their names.
pub(super) fn sorted<K: Ord>(
    mut models: Vec<(String, Figures)>,
    key: impl Fn(&Figures) -> K,
) -> Vec<(String, Figures)> {
    models.sort_by(|(one, a), (other, b)| key(b).cmp(&key(a)).then_with(|| one.cmp(other)));
    models
}

/// An hour as it is shown.
pub(super) fn name_of_hour(begins: DateTime<FixedOffset>) -> String {
    begins.to_rfc3339_opts(SecondsFormat::Secs, false)
}

fn shown(begins: DateTime<Utc>, offset: TimeDelta) -> DateTime<FixedOffset> {
    let seconds = i32::try_from(offset.num_seconds()).unwrap_or_default();
    // No zone is a day ahead or behind.
    match FixedOffset::east_opt(seconds) {
        Some(offset) => offset.from_utc_datetime(&begins.naive_utc()),
        None => begins.fixed_offset(),
    }
}
