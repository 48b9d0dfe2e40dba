//! Days in a row.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::models::analytics::Streaks;

/// The runs in these days. One that ends yesterday goes on: today is not over.
pub(super) fn streaks(days: impl IntoIterator<Item = NaiveDate>, today: NaiveDate) -> Streaks {
    let days: BTreeSet<NaiveDate> = days.into_iter().collect();
    let mut streaks = Streaks::default();
    let (mut run, mut last): (u64, Option<NaiveDate>) = (0, None);
    for day in days {
        let goes_on = last.is_some_and(|last| last.succ_opt() == Some(day));
        run = if goes_on { run + 1 } else { 1 };
        streaks.longest = streaks.longest.max(run);
        last = Some(day);
    }
    let is_current = last.is_some_and(|last| last >= today || last.succ_opt() == Some(today));
    streaks.current = if is_current { run } else { 0 };
    streaks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(days: &[u32], today: u32) -> (u64, u64) {
        let day = |number| NaiveDate::from_ymd_opt(2026, 11, number).expect("a day");
        let streaks = streaks(days.iter().map(|number| day(*number)), day(today));
        (streaks.current, streaks.longest)
    }

    #[test]
    fn a_run_ends_with_a_day_without() {
        assert_eq!(of(&[], 5), (0, 0));
        assert_eq!(of(&[5], 5), (1, 1));
        assert_eq!(of(&[3, 1, 2, 2], 5), (0, 3));
        assert_eq!(of(&[1, 2, 3, 5, 6], 6), (2, 3));
        assert_eq!(of(&[5, 6], 7), (2, 2), "today is not over");
        assert_eq!(of(&[5, 6], 8), (0, 2));
    }
}
