//! Periods in a time zone.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::models::analytics::Period;

/// What all sums are kept for.
const QUARTER: TimeDelta = TimeDelta::minutes(15);

/// How far apart offsets are looked at: clocks are not changed twice in between.
const STRIDE: TimeDelta = TimeDelta::days(1);

/// A part of time in which the clocks of a time zone are not changed. It begins and ends with a quarter of an hour of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins.
    pub from: DateTime<Utc>,
    /// Where it has ended.
    pub until: DateTime<Utc>,
    /// How far clocks are ahead of UTC.
    pub offset: TimeDelta,
}

/// A period in a time zone, up to the end of the present hour or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins: with a quarter of an hour.
    pub from: DateTime<Utc>,
    /// Where it has ended.
    pub until: DateTime<Utc>,
    /// Whose days they are.
    pub zone: Tz,
}

impl Span {
    /// The period that ends now. `first_use` is where everything begins.
    #[must_use]
    pub fn new(period: Period, zone: Tz, now: DateTime<Utc>, first_use: Option<DateTime<Utc>>) -> Self {
        let today = now.with_timezone(&zone).date_naive();
        let since = |days: u64| {
            let first = today.checked_sub_days(Days::new(days - 1)).unwrap_or(today);
            midnight(zone, first)
        };
        let from = match period {
            Period::Hours24 => now - TimeDelta::days(1),
            Period::Days7 => since(7),
            Period::Days30 => since(30),
            Period::Days90 => since(90),
            Period::Year => since(365),
            Period::All => first_use.unwrap_or(now),
        };
        Self {
            from: quarter(from),
            until: quarter(now) + QUARTER,
            zone,
        }
    }

    /// The same period in parts in which clocks are not changed, the oldest first. Together they are the whole.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        let mut from = self.from;
        while from < self.until {
            let offset = self.offset_at(from);
            let until = self.end_of_offset(from, offset);
            segments.push(Segment { from, until, offset });
            from = until;
        }
        segments
    }

    /// Its first and its last local day.
    #[must_use]
    pub fn days(&self) -> (NaiveDate, NaiveDate) {
        let last = (self.until - QUARTER).max(self.from);
        let day = |at: DateTime<Utc>| at.with_timezone(&self.zone).date_naive();
        (day(self.from), day(last))
    }

    /// Where clocks are changed next, or the period ends.
    fn end_of_offset(&self, from: DateTime<Utc>, offset: TimeDelta) -> DateTime<Utc> {
        let mut same = from;
        loop {
            let next = (same + STRIDE).min(self.until);
            if self.offset_at(next - QUARTER) != offset {
                return self.change_between(same, next, offset);
            }
            if next == self.until {
                return next;
            }
            same = next - QUARTER;
        }
    }

    /// The first quarter after `same` that has another offset; the one before `other` has.
    fn change_between(
        &self,
        mut same: DateTime<Utc>,
        other: DateTime<Utc>,
        offset: TimeDelta,
    ) -> DateTime<Utc> {
        while same < other && self.offset_at(same) == offset {
            same += QUARTER;
        }
        same
    }

    fn offset_at(&self, at: DateTime<Utc>) -> TimeDelta {
        let offset = self.zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        TimeDelta::seconds(i64::from(offset.local_minus_utc()))
    }
}

/// When a day begins: at midnight, or where clocks skip it, when they go on.
fn midnight(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    // Clocks are never put forward by more than a day.
    (0..=96)
        .find_map(|quarters| {
            let local = midnight + QUARTER * quarters;
            zone.from_local_datetime(&local).earliest()
        })
        .map_or_else(|| midnight.and_utc(), |at| at.to_utc())
}

/// The beginning of the quarter of an hour.
fn quarter(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::milliseconds(at.timestamp_millis().rem_euclid(QUARTER.num_milliseconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn span(period: Period, zone: Tz, now: &str) -> Span {
        Span::new(period, zone, at(now), None)
    }

    #[test]
    fn a_period_begins_at_local_midnight() {
        let kathmandu = span(Period::Days7, Tz::Asia__Kathmandu, "2026-11-23T20:07:00Z");
        assert_eq!(kathmandu.from, at("2026-11-17T18:15:00Z"));
        assert_eq!(kathmandu.until, at("2026-11-23T20:15:00Z"));
        let days = ["2026-11-18", "2026-11-24"].map(|day| day.parse().expect("a day"));
        assert_eq!(kathmandu.days(), (days[0], days[1]));
        let day = span(Period::Hours24, Tz::UTC, "2026-11-23T20:07:00.5Z");
        assert_eq!(day.from, at("2026-11-22T20:00:00Z"));
        // Cairo skips the first hour of that day.
        let cairo = span(Period::Days7, Tz::Africa__Cairo, "2026-04-30T12:00:00Z");
        assert_eq!(cairo.from, at("2026-04-23T22:00:00Z"));
    }

    #[test]
    fn clocks_are_changed_between_segments_and_nowhere_else() {
        let year = span(Period::Year, Tz::America__New_York, "2026-11-23T12:00:00Z");
        let segments = year.segments();
        let changes: Vec<_> = segments.iter().skip(1).map(|segment| segment.from).collect();
        assert_eq!(changes, [at("2026-03-08T07:00:00Z"), at("2026-11-01T06:00:00Z")]);
        let hours: Vec<_> = segments
            .iter()
            .map(|segment| segment.offset.num_hours())
            .collect();
        assert_eq!(hours, [-5, -4, -5]);
        let island = span(Period::Days90, Tz::Australia__Lord_Howe, "2026-11-23T12:00:00Z");
        let minutes: Vec<_> = island
            .segments()
            .iter()
            .map(|part| part.offset.num_minutes())
            .collect();
        assert_eq!(minutes, [630, 660]);
    }

    #[test]
    fn segments_are_the_whole_period() {
        for zone in [
            Tz::UTC,
            Tz::Asia__Kathmandu,
            Tz::Australia__Lord_Howe,
            Tz::America__New_York,
        ] {
            let whole = Span::new(
                Period::All,
                zone,
                at("2026-11-23T12:00:00Z"),
                Some(at("1999-12-31T23:45:00Z")),
            );
            let segments = whole.segments();
            assert_eq!(segments.first().map(|part| part.from), Some(whole.from));
            assert_eq!(segments.last().map(|part| part.until), Some(whole.until));
            for pair in segments.windows(2) {
                assert_eq!(pair[0].until, pair[1].from);
                assert_ne!(pair[0].offset, pair[1].offset);
            }
            for part in segments {
                assert!(part.from < part.until);
                assert_eq!(whole.offset_at(part.from), part.offset);
                assert_eq!(whole.offset_at(part.until - QUARTER), part.offset);
            }
        }
    }
}
