//! What a year on the dashboard costs: `cargo bench --bench dashboard -- --store sqlite`. Without `--store` it only says so.
//!
//! It enters a million events of one user into the ledger, on 304 days of a year, at any time of day and of five models, and as
//! many of another, whom nobody asks about; and then measures what the first user reads. Each line of the table is one request
//! without HTTP.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "scale/probe.rs"]
mod probe;
#[path = "scale/stores.rs"]
mod stores;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use ai_chat_orchestrator::models::analytics::{GroupBy, Period};
use ai_chat_orchestrator::models::ids::UserId;
use ai_chat_orchestrator::services::analytics::{AnalyticsParts, AnalyticsService, UsageSums};
use ai_chat_orchestrator::services::conversations::StoreError;
use ai_chat_orchestrator::utils::clock::Clock;
use ai_chat_orchestrator::utils::database::DatabaseError;
use ai_chat_orchestrator::utils::errors::ApiError;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::{Parser, ValueEnum};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use uuid::Uuid;

use probe::Probe;

/// Whatever ends the benchmark early.
type Failure = Box<dyn Error>;

/// What the median has to stay under.
const GOAL: Duration = Duration::from_millis(50);

/// Whose dashboard is measured, and who has as much.
const USERS: [UserId; 2] = [UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2))];

/// Where the year ends: 2026-11-23T12:00:00Z, in milliseconds since 1970.
const NOW_MS: i64 = 1_795_435_200_000;

/// Measures the dashboard.
#[derive(Debug, Parser)]
struct Options {
    /// The database to measure; PostgreSQL is the one at `TEST_POSTGRES_URL`, in a database of its own. Without it nothing
    /// is done: `cargo bench` runs every benchmark, and this one takes minutes.
    #[arg(long, value_enum)]
    store: Option<StoreKind>,
    /// Events of each of the two users.
    #[arg(long, default_value_t = 1_000_000)]
    events: i64,
    /// How often each request is measured.
    #[arg(long, default_value_t = 200)]
    runs: usize,
    /// Keep the database under this name (on SQLite the path of a file), and use it again, as it is, if it is there.
    #[arg(long)]
    keep: Option<String>,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A database to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StoreKind {
    /// A file.
    Sqlite,
    /// A database on a server.
    Postgres,
}

const USAGE: &str = "dashboard: takes minutes, and is run only on a database that is named: \
                     cargo bench --bench dashboard -- --store sqlite (or postgres; more with --help)";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let keep = options.keep.as_deref();
    match options.store {
        None => {
            println!("{USAGE}");
            Ok(())
        }
        Some(StoreKind::Sqlite) => {
            let place = stores::Sqlite::open(keep).await?;
            for user in without_events(&place.database).await? {
                let file = SqliteConnectOptions::new().filename(&place.path);
                let mut connection = file.connect().await?;
                let filling = sqlx::query(FILL_SQLITE)
                    .bind(user)
                    .bind(options.events)
                    .bind(NOW_MS);
                filling.execute(&mut connection).await?;
            }
            println!("{}", stores::size(place.bytes()?));
            measure(Arc::new(place.database.clone()), &options).await
        }
        Some(StoreKind::Postgres) => {
            let place = stores::Postgres::open(keep).await?;
            let measured = async {
                for user in without_events(&place.database).await? {
                    let mut connection = place.connect().await?;
                    let filling = sqlx::query(FILL_POSTGRES)
                        .bind(user)
                        .bind(options.events)
                        .bind(NOW_MS);
                    filling.execute(&mut connection).await?;
                }
                place.tidy().await?;
                println!("{}", stores::size(place.bytes().await?));
                measure(Arc::new(place.database.clone()), &options).await
            };
            let measured = measured.await;
            place.close().await?;
            measured
        }
    }
}

/// What one of five models answered, on one of 304 days: of each six, five. Past the interface of the ledger, which would lock
/// the account of the user a million times; the sums are kept all the same.
const FILL_SQLITE: &str = "WITH RECURSIVE event (n, day) AS
         (SELECT 1, abs(random()) % 304 UNION ALL SELECT n + 1, abs(random()) % 304 FROM event WHERE n < ?2)
     INSERT INTO usage_events
         (id, attempt, user_id, request_id, model, status, streamed, prompt_tokens, completion_tokens, estimated, cost,
          latency_ms, first_token_ms, created_at)
     SELECT randomblob(16), 1, ?1, 'a-request', 'model-' || abs(random()) % 5, 'completed', 1, abs(random()) % 10000,
         abs(random()) % 2000, 0, abs(random()) % 10000000, abs(random()) % 20000, abs(random()) % 2000,
         ?3 - (day + day / 5) * 86400000 - abs(random()) % 86400000
     FROM event";

/// The same.
const FILL_POSTGRES: &str = "INSERT INTO usage_events
         (id, attempt, user_id, request_id, model, status, streamed, prompt_tokens, completion_tokens, estimated, cost,
          latency_ms, first_token_ms, created_at)
     SELECT gen_random_uuid(), 1, $1, 'a-request', 'model-' || floor(random() * 5), 'completed', true,
         floor(random() * 10000), floor(random() * 2000), false, floor(random() * 10000000), floor(random() * 20000),
         floor(random() * 2000),
         to_timestamp($3 / 1000) - (day + day / 5) * interval '24 hours' - random() * interval '24 hours'
     FROM (SELECT floor(random() * 304)::bigint AS day FROM generate_series(1, $2)) AS event";

/// Who has no events yet, from an earlier run.
async fn without_events(sums: &impl UsageSums) -> Result<Vec<UserId>, Failure> {
    let mut users = Vec::new();
    for user in USERS {
        if sums.first_use(user).await?.is_none() {
            users.push(user);
        }
    }
    Ok(users)
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds(NOW_MS)
}

async fn measure(sums: Arc<dyn UsageSums>, options: &Options) -> Result<(), Failure> {
    let analytics = Arc::new(AnalyticsService::new(AnalyticsParts {
        sums,
        enabled: true,
        clock: Clock::from_fn(now),
    }));
    let mut probes = Vec::new();
    for (name, period, zone) in [
        ("a year in UTC", Period::Year, Tz::UTC),
        ("a year in New York", Period::Year, Tz::America__New_York),
        ("a year in Kathmandu", Period::Year, Tz::Asia__Kathmandu),
        ("everything in New York", Period::All, Tz::America__New_York),
        ("30 days in New York", Period::Days30, Tz::America__New_York),
    ] {
        let analytics = analytics.clone();
        probes.push(Probe::new(format!("dashboard: {name}"), GOAL, move |_| {
            let analytics = analytics.clone();
            async move {
                let shown = analytics.dashboard(USERS[0], period, zone).await;
                Ok(shown.map_err(failed)?.totals.requests)
            }
        }));
    }
    for (name, period, model, group_by) in [
        ("a year by day", Period::Year, None, GroupBy::Day),
        (
            "a year of a model by day",
            Period::Year,
            Some("model-0"),
            GroupBy::Day,
        ),
        ("a year by model", Period::Year, None, GroupBy::Model),
        ("90 days by hour", Period::Days90, None, GroupBy::Hour),
    ] {
        let analytics = analytics.clone();
        probes.push(Probe::new(format!("usage: {name}"), GOAL, move |_| {
            let analytics = analytics.clone();
            async move {
                let usage = analytics.usage(USERS[0], period, model, group_by, Tz::America__New_York);
                Ok(usage.await.map_err(failed)?.totals.requests)
            }
        }));
    }
    println!("{}", probe::run(&probes, options.runs).await?);
    Ok(())
}

fn failed(error: ApiError) -> StoreError {
    DatabaseError::corrupt("a dashboard", error).into()
}
