//! What a year on the dashboard costs: `cargo bench --bench dashboard -- --store sqlite`. Without `--store` it only says so.
//!
//! It enters a million events of one user into the ledger, over 300 days of a year, at any time of day and of five models,
//! and as many of another, whom nobody asks about; and then measures what the first user reads. Each line of the table is
//! one request without HTTP.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "scale/probe.rs"]
mod probe;
#[path = "scale/stores.rs"]
mod stores;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ai_chat_orchestrator::models::analytics::{GroupBy, Period};
use ai_chat_orchestrator::models::ids::{StreamId, UserId};
use ai_chat_orchestrator::models::message::MessageStatus;
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::services::analytics::{AnalyticsParts, AnalyticsService, UsageSums};
use ai_chat_orchestrator::services::billing::{AnswerUsage, UsageEvent, UsageLedger};
use ai_chat_orchestrator::services::conversations::{StoreError, StoreLimits};
use ai_chat_orchestrator::services::sql::{SqlAccounts, SqlDatabase};
use ai_chat_orchestrator::utils::clock::Clock;
use ai_chat_orchestrator::utils::database::DatabaseError;
use ai_chat_orchestrator::utils::errors::ApiError;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::{Parser, ValueEnum};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use probe::Probe;

/// Whatever ends the benchmark early.
type Failure = Box<dyn Error>;

/// What the median has to stay under.
const GOAL: Duration = Duration::from_millis(50);

/// Whose dashboard is measured, and who has as much.
const USERS: [UserId; 2] = [UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2))];

/// Where the year ends: 2026-11-23T12:00:00Z.
const NOW: i64 = 1_795_435_200;

/// Days of the year, and how many of them are without any event.
const DAYS: i64 = 365;
const EVERY_NTH_IS_FREE: i64 = 6;

const MODELS: [&str; 5] = [
    "gpt-4o-mini",
    "gpt-4o",
    "claude-sonnet",
    "mistral-large",
    "llama-70b",
];

/// Nobody reaches them.
const LIMITS: StoreLimits = StoreLimits {
    conversations: 1,
    branches: 1,
    messages: 1,
    context_messages: 1,
    new_user_budget: None,
};

/// Entries that are written at once.
const AT_ONCE: usize = 128;

/// Measures the dashboard.
#[derive(Debug, Parser)]
struct Options {
    /// The database to measure; PostgreSQL is the one at `TEST_POSTGRES_URL`, in a database of its own. Without it nothing
    /// is done: `cargo bench` runs every benchmark, and this one takes minutes.
    #[arg(long, value_enum)]
    store: Option<StoreKind>,
    /// Events of each of the two users.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
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
    match options.store {
        None => {
            println!("{USAGE}");
            Ok(())
        }
        Some(StoreKind::Sqlite) => {
            let place = stores::Sqlite::open(options.keep.as_deref()).await?;
            fill(&place.database, &options).await?;
            println!("{}", stores::size(place.bytes()?));
            measure(Arc::new(place.database.clone()), &options).await
        }
        Some(StoreKind::Postgres) => {
            let place = stores::Postgres::open(options.keep.as_deref()).await?;
            let measured = async {
                fill(&place.database, &options).await?;
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

/// Enters the events of both users, unless there are some.
async fn fill<D: SqlDatabase + UsageSums>(database: &D, options: &Options) -> Result<(), Failure> {
    let ledger = SqlAccounts::new(database.clone(), LIMITS);
    for (n, user) in USERS.into_iter().enumerate() {
        if database.first_use(user).await?.is_some() {
            continue;
        }
        let started = Instant::now();
        let mut random = StdRng::seed_from_u64(n as u64);
        stream::iter((0..options.events).map(|_| event(user, &mut random)))
            .map(|event| ledger.record(event))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        let took = started.elapsed();
        println!(
            "{} events entered in {took:.0?}: {:.0?} each",
            options.events,
            took / u32::try_from(options.events)?.max(1)
        );
    }
    Ok(())
}

fn event(user: UserId, random: &mut StdRng) -> UsageEvent {
    let day = loop {
        let day = random.random_range(0..DAYS);
        if day % EVERY_NTH_IS_FREE != 1 {
            break day;
        }
    };
    let second = random.random_range(0..86_400_000);
    UsageEvent {
        id: StreamId(Uuid::from_u128(random.random())),
        user_id: user,
        request_id: "a-request".into(),
        conversation_id: None,
        message_id: None,
        model: MODELS[random.random_range(0..MODELS.len())].into(),
        status: MessageStatus::Completed,
        streamed: true,
        usage: AnswerUsage {
            prompt_tokens: random.random_range(10..10_000),
            completion_tokens: random.random_range(10..2_000),
            cost: Some(Money::from_nano(random.random_range(1_000..10_000_000))),
            ..AnswerUsage::default()
        },
        attempts: Vec::new(),
        provisional: false,
        latency_ms: Some(random.random_range(200..20_000)),
        first_token_ms: Some(random.random_range(50..2_000)),
        created_at: now() - TimeDelta::days(day) - TimeDelta::milliseconds(second),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(NOW)
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
            Some(MODELS[0]),
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
