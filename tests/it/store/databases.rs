//! The stores under test, each over a database that nobody else uses.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ai_chat_orchestrator::config::{DatabaseSettings, DatabaseUrl, SqliteSynchronous};
use ai_chat_orchestrator::models::ids::InstanceId;
use ai_chat_orchestrator::services::analytics::UsageSums;
use ai_chat_orchestrator::services::api_keys::ApiKeyRecords;
use ai_chat_orchestrator::services::billing::{AccountRecords, UsageLedger};
use ai_chat_orchestrator::services::conversations::{ConversationStore, StoreLimits};
use ai_chat_orchestrator::services::generation::GenerationRecords;
use ai_chat_orchestrator::services::outbox::OutboxRecords;
use ai_chat_orchestrator::services::privacy::UserData;
use ai_chat_orchestrator::services::sql::postgres::PostgresDatabase;
use ai_chat_orchestrator::services::sql::sqlite::SqliteDatabase;
use ai_chat_orchestrator::services::sql::{OpenDatabase, SqlAccounts, SqlConversations};
use ai_chat_orchestrator::services::users::ProfileStore;
use ai_chat_orchestrator::utils::clock::Clock;
use chrono::DateTime;
use futures_util::FutureExt as _;
use secrecy::SecretString;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::user::User;
use crate::support;
use crate::support::time::{eventually, within_limit};

/// Longer than any promise takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Few enough to be reached, more than most tests need.
pub const LIMITS: StoreLimits = StoreLimits {
    conversations: 12,
    branches: 40,
    messages: 300,
    context_messages: 20,
    new_user_budget: None,
};

/// A store over an empty database.
pub struct TestStore {
    store: Arc<dyn ConversationStore>,
    /// The outbox in the same database.
    pub outbox: Arc<dyn OutboxRecords>,
    /// The API keys there.
    pub api_keys: Arc<dyn ApiKeyRecords>,
    /// The accounts there.
    pub accounts: Arc<dyn AccountRecords>,
    /// The usage ledger there.
    pub ledger: Arc<dyn UsageLedger>,
    /// What it adds up to.
    pub usage_sums: Arc<dyn UsageSums>,
    /// The users there.
    pub profiles: Arc<dyn ProfileStore>,
    /// All that is kept there about users.
    pub user_data: Arc<dyn UserData>,
    /// The records of running answers there.
    pub generations: Arc<dyn GenerationRecords>,
    /// The clock that the store goes by.
    pub clock: Clock,
    /// What the store may hold.
    pub limits: StoreLimits,
    tasks: TaskTracker,
    home: Home,
}

/// What is left of a database when its store is closed.
enum Home {
    Folder(TempDir),
    Server {
        pool: PostgresDatabase,
        database: support::PostgresDatabase,
    },
}

/// How often a table was read.
#[derive(Debug, sqlx::FromRow)]
pub struct TableReads {
    pub table: String,
    pub by_index: i64,
    /// From end to end.
    pub whole: i64,
}

impl Deref for TestStore {
    type Target = dyn ConversationStore;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

impl TestStore {
    /// A store over an SQLite file.
    pub async fn sqlite(limits: StoreLimits) -> Self {
        let (clock, tasks) = (ticking(), TaskTracker::new());
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("store.db");
        let settings = settings(DatabaseUrl::Sqlite(path.clone()));
        let database =
            SqliteDatabase::open(&path, &settings, clock.clone(), InstanceId::new(&clock), &tasks).await;
        let database = database.expect("a database");
        Self {
            outbox: Arc::new(database.clone()),
            api_keys: Arc::new(database.clone()),
            usage_sums: Arc::new(database.clone()),
            profiles: Arc::new(database.clone()),
            generations: Arc::new(database.clone()),
            accounts: Arc::new(SqlAccounts::new(database.clone(), limits)),
            ledger: Arc::new(SqlAccounts::new(database.clone(), limits)),
            user_data: OpenDatabase::Sqlite(database.clone()).user_data(limits),
            store: Arc::new(SqlConversations::new(database, limits)),
            clock,
            limits,
            tasks,
            home: Home::Folder(folder),
        }
    }

    /// A store over a database of its own on the server that `TEST_POSTGRES_URL` names.
    ///
    /// The migrations run in each database: copying a migrated one would save nothing that can be measured.
    pub async fn postgres(limits: StoreLimits) -> Self {
        let (clock, tasks) = (ticking(), TaskTracker::new());
        let database = support::PostgresDatabase::create().await;
        let url = SecretString::from(database.url());
        let settings = settings(DatabaseUrl::Sqlite(PathBuf::new()));
        let pool =
            PostgresDatabase::open(&url, &settings, clock.clone(), InstanceId::new(&clock), &tasks).await;
        let pool = pool.expect("a database");
        Self {
            outbox: Arc::new(pool.clone()),
            api_keys: Arc::new(pool.clone()),
            usage_sums: Arc::new(pool.clone()),
            profiles: Arc::new(pool.clone()),
            generations: Arc::new(pool.clone()),
            accounts: Arc::new(SqlAccounts::new(pool.clone(), limits)),
            ledger: Arc::new(SqlAccounts::new(pool.clone(), limits)),
            user_data: OpenDatabase::Postgres(pool.clone()).user_data(limits),
            store: Arc::new(SqlConversations::new(pool.clone(), limits)),
            clock,
            limits,
            tasks,
            home: Home::Server { pool, database },
        }
    }

    /// As [`Self::postgres`], in which a table is read from end to end only where no index would do.
    pub async fn postgres_by_index(limits: StoreLimits) -> Self {
        let store = Self::postgres(limits).await;
        if let Home::Server { database, .. } = &store.home {
            // For sessions that begin from now on: the store has none yet. What the migrations read does not count.
            database.set("enable_seqscan", "off").await;
            let mut connection = database.connect().await;
            let reset = sqlx::query("SELECT pg_stat_reset()")
                .execute(&mut connection)
                .await;
            reset.expect("statistics from now on");
        }
        store
    }

    /// Runs a statement that both databases understand, from outside.
    pub async fn execute(&self, sql: &'static str) {
        match &self.home {
            Home::Folder(folder) => {
                let options = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
                let mut connection = options.connect().await.expect("the store's file");
                let done = sqlx::raw_sql(sql).execute(&mut connection).await;
                done.expect("a statement");
            }
            Home::Server { database, .. } => {
                let done = sqlx::raw_sql(sql).execute(&mut database.connect().await).await;
                done.expect("a statement");
            }
        }
    }

    /// Goes on with the numbers of messages so far further, as if others had written in between.
    pub async fn skip_numbers(&self, count: i64) {
        if let Home::Server { database, .. } = &self.home {
            let mut connection = database.connect().await;
            let skip = "SELECT setval(name, nextval(name) + $1)
                 FROM (SELECT pg_get_serial_sequence('messages', 'number')::regclass AS name) sequence";
            let skipped = sqlx::query(skip).bind(count).execute(&mut connection).await;
            skipped.expect("a number");
        }
    }

    /// How the tables of its database were read so far. The store cannot be used any more: a session only tells at its
    /// end what it read last.
    pub async fn table_reads(&self) -> Vec<TableReads> {
        let Home::Server { pool, database } = &self.home else {
            return Vec::new();
        };
        pool.close().await;
        let mut connection = database.connect().await;
        let alone = "SELECT count(*) = 0 FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        eventually("the end of all other sessions", async || {
            let alone = sqlx::query_scalar::<_, bool>(alone)
                .fetch_one(&mut connection)
                .await;
            alone.expect("sessions").then_some(())
        })
        .await;
        let reads = "SELECT relname::text AS table, coalesce(idx_scan, 0) AS by_index, seq_scan AS whole
             FROM pg_stat_user_tables";
        sqlx::query_as(reads)
            .fetch_all(&mut connection)
            .await
            .expect("statistics")
    }

    /// A user whom the store has not seen before.
    pub fn user(&self) -> User<'_> {
        User::new(self)
    }

    /// Closes the store and removes its database.
    pub async fn close(self) {
        drop((self.store, self.outbox, self.api_keys, self.generations));
        drop(self.user_data);
        drop((self.accounts, self.ledger, self.usage_sums, self.profiles));
        if let Home::Server { pool, .. } = &self.home {
            pool.close().await;
        }
        self.tasks.close();
        within_limit(LIMIT, "the store's tasks", self.tasks.wait()).await;
        match self.home {
            Home::Folder(folder) => folder.close().expect("a removed folder"),
            Home::Server { database, .. } => database.remove().await,
        }
    }
}

/// Has a new store keep one promise, and removes its database even if it does not.
pub async fn keep(store: impl Future<Output = TestStore>, promise: impl AsyncFnOnce(&TestStore)) {
    let store = store.await;
    let kept = within_limit(LIMIT, "a promise to be kept", promise(&store));
    let outcome = AssertUnwindSafe(kept).catch_unwind().await;
    store.close().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// The beginning of 2026, in milliseconds since 1970.
const START: i64 = 1_767_225_600_000;

/// A clock that goes a millisecond further whenever somebody looks at it: no two things happen at the same time.
fn ticking() -> Clock {
    let ticks = AtomicI64::new(START);
    Clock::from_fn(move || {
        let now = ticks.fetch_add(1, Ordering::Relaxed);
        DateTime::from_timestamp_millis(now).expect("a time")
    })
}

fn settings(url: DatabaseUrl) -> DatabaseSettings {
    DatabaseSettings {
        url,
        max_connections: 8,
        sqlite_synchronous: SqliteSynchronous::Normal,
    }
}
