//! What erased users used, added up so that it is nobody's in particular.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveTime, Utc};

use crate::services::sql::rows::{AnonymousUsage, Rows, RowsResult, TakenUsage};

/// The model of what failed before it used anything: the name may be one that somebody made up.
const OTHER_MODEL: &str = "other";

/// Adds to the figures of each day and model; always in the same order, so that no two transactions wait for each other.
pub async fn add_up(rows: &mut dyn Rows, used: &[TakenUsage]) -> RowsResult<()> {
    let mut sums: BTreeMap<(DateTime<Utc>, &str), AnonymousUsage> = BTreeMap::new();
    for event in used {
        let has_used = event.prompt_tokens > 0 || event.completion_tokens > 0;
        let model = if has_used { &event.model } else { OTHER_MODEL };
        let sum = sums.entry((day_of(event.created_at), model)).or_default();
        sum.requests += u64::from(!event.retried);
        sum.prompt_tokens = sum.prompt_tokens.saturating_add(event.prompt_tokens);
        sum.completion_tokens = sum.completion_tokens.saturating_add(event.completion_tokens);
        sum.cost = sum.cost.saturating_add(event.cost.unwrap_or_default());
    }
    for ((day, model), sum) in sums {
        rows.add_anonymous_usage(day, model, sum).await?;
    }
    Ok(())
}

fn day_of(time: DateTime<Utc>) -> DateTime<Utc> {
    time.date_naive().and_time(NaiveTime::MIN).and_utc()
}
