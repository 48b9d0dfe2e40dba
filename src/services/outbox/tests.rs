use std::fs;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;
use sqlx::{ConnectOptions as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::*;
use crate::models::ids::{InstanceId, UserId};
use crate::models::message::MessageStatus;
use crate::services::billing::AnswerUsage;
use crate::services::conversations::StoreLimits;
use crate::services::sql::OpenDatabase;
use crate::services::sql::sqlite::SqliteDatabase;
use crate::testing;

const LIMITS: StoreLimits = StoreLimits {
    conversations: 1,
    branches: 1,
    messages: 10,
    context_messages: 10,
    new_user_budget: None,
};

/// A table that refuses whatever is inserted, as it would a broken constraint.
const REFUSE: &str = "CREATE TRIGGER refuse_outbox BEFORE INSERT ON outbox
         BEGIN INSERT INTO outbox (id) VALUES (NULL); END;
     CREATE TRIGGER refuse_usage BEFORE INSERT ON usage_events
         BEGIN INSERT INTO usage_events (id) VALUES (NULL); END;";

/// An outbox over a database of its own, whose clock stands still until it is moved.
struct Fixture {
    outbox: Outbox,
    data_dir: TempDir,
    _database_dir: TempDir,
    seconds: Arc<AtomicI64>,
    from_outside: SqliteConnection,
}

impl Fixture {
    async fn new() -> Self {
        let (data_dir, database_dir) = (folder(), folder());
        let path = database_dir.path().join("outbox.db");
        let seconds = Arc::new(AtomicI64::new(0));
        let at = seconds.clone();
        let clock =
            Clock::from_fn(move || DateTime::UNIX_EPOCH + TimeDelta::seconds(at.load(Ordering::Relaxed)));
        let settings = testing::settings().database;
        let instance = InstanceId::new(&clock);
        let database =
            SqliteDatabase::open(&path, &settings, clock.clone(), instance, &TaskTracker::new()).await;
        let database = OpenDatabase::Sqlite(database.expect("a database"));
        let outbox = Outbox::open(
            data_dir.path(),
            database.outbox(),
            database.conversations(LIMITS),
            database.ledger(LIMITS),
            Arc::new(Metrics::new(0).expect("families")),
            clock,
        );
        let from_outside = SqliteConnectOptions::new().filename(&path).connect().await;
        Self {
            outbox: outbox.expect("an outbox"),
            data_dir,
            _database_dir: database_dir,
            seconds,
            from_outside: from_outside.expect("a connection"),
        }
    }

    async fn execute(&mut self, sql: &'static str) {
        let done = sqlx::raw_sql(sql).execute(&mut self.from_outside).await;
        done.expect("a change");
    }

    /// Keeps charges of these streams as during an outage.
    async fn keep(&self, streams: std::ops::Range<u128>) {
        for stream in streams {
            self.outbox
                .keep(charge(stream), &DatabaseError::TimedOut.into())
                .await;
        }
    }

    /// One round, this long after the last one; tells how many entries wait, and how many are dead.
    async fn round_after(&self, seconds: i64) -> (u64, u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
        let inner = &self.outbox.0;
        inner.house().await;
        inner.deliver_journal().await;
        let delivered = inner.deliver_table(inner.clock.now()).await;
        delivered.expect("a table");
        inner.look().await;
        let state = self.outbox.state();
        (state.pending, state.dead_letters)
    }
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

fn charge(stream: u128) -> OutboxEntry {
    charge_of(stream, 7)
}

fn charge_of(stream: u128, user: u128) -> OutboxEntry {
    OutboxEntry::Usage(Arc::new(UsageEvent {
        id: StreamId(Uuid::from_u128(stream)),
        user_id: UserId(Uuid::from_u128(user)),
        request_id: "request".into(),
        conversation_id: None,
        message_id: None,
        model: "model".into(),
        status: MessageStatus::Completed,
        streamed: true,
        usage: AnswerUsage::default(),
        attempts: Vec::new(),
        provisional: false,
        latency_ms: Some(1),
        first_token_ms: None,
        created_at: DateTime::UNIX_EPOCH,
    }))
}

#[tokio::test]
async fn what_neither_the_store_nor_the_table_takes_is_a_dead_letter_on_the_disk() {
    let mut fixture = Fixture::new().await;
    fixture.execute(REFUSE).await;
    fixture.keep(1..3).await;
    for _ in 1..MAX_REFUSALS {
        assert_eq!(fixture.round_after(10).await, (2, 0));
        assert_eq!(fixture.round_after(0).await, (2, 0), "tried again too soon");
    }
    assert_eq!(fixture.round_after(10).await, (0, 2));
    assert!(!fixture.data_dir.path().join("outbox.jsonl").exists());

    fixture
        .execute("DROP TRIGGER refuse_outbox; DROP TRIGGER refuse_usage;")
        .await;
    let dead = DeadFile::of(fixture.data_dir.path());
    assert_eq!(dead.retry().expect("a retry"), 2);
    assert_eq!(fixture.round_after(0).await, (2, 0), "taken up");
    assert_eq!(fixture.round_after(0).await, (0, 0), "delivered");
    assert_eq!(fixture.outbox.0.metrics.outbox_lost.get(), 0);
}

#[tokio::test]
async fn what_the_store_refuses_moves_from_the_journal_to_the_table() {
    let mut fixture = Fixture::new().await;
    fixture.execute(REFUSE).await;
    fixture.execute("DROP TRIGGER refuse_outbox").await;
    fixture.keep(1..2).await;
    let mut rounds = 0;
    while fixture.round_after(10).await == (1, 0) {
        assert!(fixture.outbox.0.journal.is_empty(), "it moved at once");
        rounds += 1;
        assert!(rounds < MAX_REFUSALS, "it is tried forever");
    }
    assert_eq!(fixture.outbox.state().dead_letters, 1);
    let records = &fixture.outbox.0.records;
    let letters = records.dead_letters(10).await.expect("a table");
    assert_eq!(
        (letters[0].id, letters[0].attempts),
        (charge(1).id(), MAX_REFUSALS)
    );
    assert_eq!(
        letters[0].reason.as_deref(),
        Some("the database refused it, code 1299")
    );
}

#[tokio::test]
async fn what_is_only_in_memory_waits_and_what_is_lost_is_counted() {
    let fixture = Fixture::new().await;
    fs::remove_dir(fixture.data_dir.path()).expect("an empty folder");
    fixture.keep(0..102).await;
    let metrics = &fixture.outbox.0.metrics;
    let pending = usize::try_from(metrics.outbox_pending.get());
    assert_eq!((pending, metrics.outbox_lost.get()), (Ok(MAX_HOMELESS), 2));
    fs::create_dir(fixture.data_dir.path()).expect("a folder");
    assert_eq!(fixture.round_after(30).await, (0, 0));
    assert_eq!(metrics.outbox_lost.get(), 2);
}

#[tokio::test]
async fn an_age_is_told_while_the_table_cannot_be_read() {
    let mut fixture = Fixture::new().await;
    fixture.execute("ALTER TABLE outbox RENAME TO elsewhere").await;
    fixture.keep(0..1).await;
    fixture.seconds.fetch_add(400, Ordering::Relaxed);
    fixture.outbox.0.look().await;
    assert_eq!(fixture.outbox.0.metrics.outbox_oldest_seconds.get(), 400);
}

#[tokio::test]
async fn what_waits_of_an_erased_user_is_charged_and_gone() {
    let mut fixture = Fixture::new().await;
    let erased = UserId(Uuid::from_u128(7));
    let dead = fixture.data_dir.path().join("outbox.dead");
    // One dead letter of each that can be read, and one that cannot, beside what waits.
    let mut letters = Vec::new();
    for entry in [charge(1), charge_of(2, 8)] {
        letters.extend(serde_json::to_vec(&entry).expect("JSON"));
        letters.push(b'\n');
    }
    letters.extend(format!("{{\"usage\":{{\"user_id\":\"{erased}\",\"cut\n").into_bytes());
    fs::write(&dead, &letters).expect("dead letters");
    fixture.keep(3..5).await;
    let others = charge_of(5, 8);
    fixture.outbox.keep(others, &DatabaseError::TimedOut.into()).await;

    assert_eq!(fixture.outbox.forget(erased).await.expect("forgotten"), 4);
    for file in ["outbox.jsonl", "outbox.dead"] {
        let text = fs::read_to_string(fixture.data_dir.path().join(file)).expect("a file");
        assert!(!text.contains(&erased.to_string()), "{file}: {text}");
        assert_eq!(text.lines().count(), 1, "what others left stays: {text}");
    }
    let charged = "SELECT count(*) FROM usage_events";
    let count: i64 = sqlx::query_scalar(charged)
        .fetch_one(&mut fixture.from_outside)
        .await
        .expect("a count");
    assert_eq!(count, 3);
    assert_eq!(fixture.outbox.forget(erased).await.expect("nothing"), 0);
}
