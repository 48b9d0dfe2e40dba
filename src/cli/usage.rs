//! What was used, for whoever bills it somewhere else.

use std::error::Error;
use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::database::{CommandDatabase, print};
use crate::config::Settings;
use crate::models::ids::UserId;
use crate::models::money::Money;
use crate::services::billing::UsageTotal;
use crate::wiring::limits;

/// What can be asked about usage. The service may be running meanwhile.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum UsageCommand {
    /// Add up what each user used of each model.
    Report {
        /// From when on: a day (UTC, `2026-11-01`) or a time (`2026-11-01T12:00:00Z`).
        #[arg(long, value_parser = since)]
        since: DateTime<Utc>,
        /// What the report is written as.
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
    },
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// One line for each user and model, below a line of names.
    Csv,
    /// An array of objects.
    Json,
}

/// Runs the command.
pub(super) async fn run(settings: &Settings, command: UsageCommand) -> ExitCode {
    print(answer(settings, command).await)
}

async fn answer(settings: &Settings, command: UsageCommand) -> Result<String, Box<dyn Error>> {
    let UsageCommand::Report { since, format } = command;
    let opened = CommandDatabase::open(settings).await?;
    let records = opened.database.accounts(limits(settings));
    let totals = records.usage_totals(since).await;
    drop(records);
    opened.close().await;
    match format {
        Format::Csv => as_csv(&totals?),
        Format::Json => as_json(&totals?),
    }
}

fn as_csv(totals: &[UsageTotal]) -> Result<String, Box<dyn Error>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "user_id",
        "model",
        "requests",
        "prompt_tokens",
        "completion_tokens",
        "cost_usd",
        "unpriced_requests",
    ])?;
    for total in totals {
        writer.write_record([
            total.user_id.to_string(),
            total.model.clone(),
            total.requests.to_string(),
            total.prompt_tokens.to_string(),
            total.completion_tokens.to_string(),
            total.cost.to_string(),
            total.unpriced.to_string(),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?.trim_end().to_owned())
}

fn as_json(totals: &[UsageTotal]) -> Result<String, Box<dyn Error>> {
    let lines: Vec<_> = totals.iter().map(Line::from).collect();
    Ok(serde_json::to_string_pretty(&lines)?)
}

/// One line of a report. (A struct, and no `json!`, which would make floating point of the cost.)
#[derive(Serialize)]
struct Line<'a> {
    user_id: UserId,
    model: &'a str,
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    cost_usd: Money,
    unpriced_requests: u64,
}

impl<'a> From<&'a UsageTotal> for Line<'a> {
    fn from(total: &'a UsageTotal) -> Self {
        Self {
            user_id: total.user_id,
            model: &total.model,
            requests: total.requests,
            prompt_tokens: total.prompt_tokens,
            completion_tokens: total.completion_tokens,
            cost_usd: total.cost,
            unpriced_requests: total.unpriced,
        }
    }
}

fn since(text: &str) -> Result<DateTime<Utc>, String> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let time = || DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    day.or_else(|_| time())
        .map_err(|_| "must be a day as 2026-11-01 or a time as 2026-11-01T12:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn reads_days_and_times() {
        let day = since("2026-11-01").expect("a day");
        assert_eq!(Ok(day), since("2026-11-01T01:00:00+01:00"));
        for bad in ["", "yesterday", "2026-13-01", "2026-11-01 12:00"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_are_exact_in_both_formats() {
        let total = UsageTotal {
            user_id: UserId(Uuid::nil()),
            model: "a,\"b\"".to_owned(),
            requests: 2,
            prompt_tokens: 10,
            completion_tokens: 20,
            cost: Money::from_nano(17_401),
            unpriced: 1,
        };
        let csv = as_csv(std::slice::from_ref(&total)).expect("a table");
        assert!(csv.ends_with(r#","a,""b""",2,10,20,0.000017401,1"#), "{csv}");
        let json = as_json(&[total]).expect("a list");
        assert!(json.contains("0.000017401"), "{json}");
    }
}
